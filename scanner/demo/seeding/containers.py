"""ECS clusters with services, task definitions and container instances; EKS clusters with node groups."""

from __future__ import annotations

import json
from typing import Any

from scanner.demo.fleet import Stack, pairs
from scanner.demo.seeding.network import Network


def seed_ecs(ecs: Any, stack: Stack, target_group: str, instances: list[str]) -> None:
    """Build the stack's cluster, its services, the task definitions they run and the hosts they run on."""
    tags = pairs(stack.tags(), "key", "value")
    ecs.create_cluster(clusterName=stack.name, tags=tags)
    for number, role in enumerate(("app", "api", "worker")[: 1 + stack.size]):
        task = f"{stack.name}-{role}"
        ecs.register_task_definition(family=task, containerDefinitions=[_container(stack, role)], tags=tags)
        balanced = {"targetGroupArn": target_group, "containerName": role, "containerPort": 8080}
        ecs.create_service(
            cluster=stack.name,
            serviceName=role,
            taskDefinition=task,
            desiredCount=stack.size,
            loadBalancers=[balanced] if number == 0 else [],
            tags=tags,
        )
    for instance in instances[: stack.size]:
        document = json.dumps({"instanceId": instance, "region": stack.region, "accountId": stack.account})
        ecs.register_container_instance(cluster=stack.name, instanceIdentityDocument=document)


def seed_capacity(ecs: Any, stack: Stack, group_arn: str) -> None:
    """Let ECS grow the stack's Auto Scaling group."""
    ecs.create_capacity_provider(
        name=f"{stack.name}-workers",
        autoScalingGroupProvider={"autoScalingGroupArn": group_arn, "managedScaling": {"status": "ENABLED"}},
        tags=pairs(stack.tags(), "key", "value"),
    )


def seed_eks(eks: Any, stack: Stack, network: Network) -> None:
    """Build a Kubernetes cluster with a node group per kind of machine."""
    role = f"arn:aws:iam::{stack.account}:role/{stack.app}-eks"
    eks.create_cluster(
        name=stack.name,
        clientRequestToken=stack.name,  # botocore would make one up, and EKS tells it in its answer
        version="1.33",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": list(network.subnets), "securityGroupIds": [network.inside_group]},
        tags=stack.tags(),
    )
    for kind in ("general", "spot"):
        eks.create_nodegroup(
            clusterName=stack.name,
            nodegroupName=f"{stack.name}-{kind}",
            subnets=list(network.subnets),
            nodeRole=role,
            scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 2},
            capacityType="SPOT" if kind == "spot" else "ON_DEMAND",
            tags=stack.tags(),
        )


def _container(stack: Stack, role: str) -> dict[str, Any]:
    return {
        "name": role,
        "image": f"example.com/{stack.app}/{role}:1.4.2",
        "memory": 512,
        "cpu": 256,
        "essential": True,
        "portMappings": [{"containerPort": 8080, "hostPort": 8080}],
        "environment": [{"name": "LOG_LEVEL", "value": "info"}],
    }
