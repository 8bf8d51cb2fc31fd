"""Load balancers of both generations with their target groups, listeners and rules."""

from __future__ import annotations

from typing import Any

from scanner.demo.fleet import Stack, pairs
from scanner.demo.seeding.network import Network


def seed_balancing(elbv2: Any, stack: Stack, network: Network, instances: list[str]) -> str:
    """Build an application load balancer; returns the ARN of the target group with the stack's instances."""
    balancer = elbv2.create_load_balancer(
        Name=stack.name,
        Subnets=list(network.subnets),
        SecurityGroups=[network.group],
        Scheme="internet-facing",
        Type="application",
        Tags=pairs(stack.tags()),
    )["LoadBalancers"][0]["LoadBalancerArn"]
    groups = [_target_group(elbv2, stack, network, role, port) for role, port in (("app", 8080), ("api", 9090))]
    elbv2.register_targets(TargetGroupArn=groups[0], Targets=[{"Id": instance} for instance in instances[: stack.size]])
    _listener(elbv2, stack, balancer, groups)
    return groups[0]


def seed_classic_balancer(elb: Any, stack: Stack, network: Network, instances: list[str]) -> None:
    """Build a load balancer of the old kind, as they survive in development accounts."""
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 80}
    elb.create_load_balancer(
        LoadBalancerName=stack.name,
        Listeners=[listener],
        Subnets=list(network.subnets),
        SecurityGroups=[network.group],
        Tags=pairs(stack.tags()),
    )
    elb.register_instances_with_load_balancer(LoadBalancerName=stack.name, Instances=[{"InstanceId": instances[0]}])


def _target_group(elbv2: Any, stack: Stack, network: Network, role: str, port: int) -> str:
    made = elbv2.create_target_group(
        Name=f"{stack.name}-{role}", Protocol="HTTP", Port=port, VpcId=network.vpc, Tags=pairs(stack.tags())
    )
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    return arn


def _listener(elbv2: Any, stack: Stack, balancer: str, groups: list[str]) -> None:
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}],
        Tags=pairs(stack.tags()),
    )["Listeners"][0]["ListenerArn"]
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": groups[1]}],
        Tags=pairs(stack.tags()),
    )
