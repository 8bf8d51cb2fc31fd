"""Instances, disks, images, launch templates and Auto Scaling groups of a stack, and what somebody left behind."""

from __future__ import annotations

from typing import Any

from scanner.demo.fleet import HOSTILE_VALUES, REGIONS, Stack, pairs
from scanner.demo.seeding.network import Network, tagged

_BASE_IMAGE = "ami-0123456789abcdef0"
# A constant key: a generated one would cost seconds and differ in each run.
_PUBLIC_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def seed_compute(ec2: Any, stack: Stack, network: Network) -> list[str]:
    """Build the stack's machines; returns the ids of its instances."""
    key = stack.name
    ec2.import_key_pair(
        KeyName=key, PublicKeyMaterial=_PUBLIC_KEY, TagSpecifications=tagged("key-pair", stack.tags(key))
    )
    ec2.create_launch_template(
        LaunchTemplateName=stack.name,
        LaunchTemplateData={"ImageId": _BASE_IMAGE, "InstanceType": "t3.medium", "KeyName": key},
        TagSpecifications=tagged("launch-template", stack.tags(stack.name)),
    )
    instances = _instances(ec2, stack, network, key)
    _disks(ec2, stack, instances)
    return instances


def seed_scaling(autoscaling: Any, stack: Stack, network: Network) -> str:
    """Build the stack's Auto Scaling group with two policies, in development of a launch configuration; its ARN."""
    name = f"{stack.name}-workers"
    machine: dict[str, Any] = {"LaunchTemplate": {"LaunchTemplateName": stack.name, "Version": "$Latest"}}
    if stack.environment == "Development":
        autoscaling.create_launch_configuration(
            LaunchConfigurationName=name, ImageId=_BASE_IMAGE, InstanceType="t3.small"
        )
        machine = {"LaunchConfigurationName": name}
    marks = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=stack.size,
        VPCZoneIdentifier=",".join(network.subnets),
        Tags=[marks | pair for pair in pairs(stack.tags())],
        **machine,
    )
    for direction, step in (("out", 1), ("in", -1)):
        autoscaling.put_scaling_policy(
            AutoScalingGroupName=name,
            PolicyName=f"{name}-{direction}",
            PolicyType="SimpleScaling",
            AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=step,
        )
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    arn: str = found["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    return arn


def seed_leftovers(ec2: Any, region: str) -> None:
    """What nobody tagged, and what somebody tagged with text that reports must survive."""
    zone = f"{region}a"
    volume = ec2.create_volume(AvailabilityZone=zone, Size=8)["VolumeId"]
    ec2.create_snapshot(VolumeId=volume, Description="before the migration")
    ec2.allocate_address(Domain="vpc")
    start = REGIONS.index(region)
    for turn in range(3):
        note = HOSTILE_VALUES[(start + turn) % len(HOSTILE_VALUES)]
        ec2.create_volume(
            AvailabilityZone=zone, Size=1, TagSpecifications=tagged("volume", {"Name": note, "Owner": note})
        )


def _instances(ec2: Any, stack: Stack, network: Network, key: str) -> list[str]:
    found = []
    for subnet, zone in zip(network.subnets, "ab", strict=True):
        tags = stack.tags(f"{stack.name}-{zone}")
        made = ec2.run_instances(
            ImageId=_BASE_IMAGE,
            # botocore would make up a token, another one in each run, and it is part of the answer.
            ClientToken=f"{stack.name}-{zone}",
            InstanceType="m5.large" if stack.is_production else "t3.small",
            MinCount=stack.size,
            MaxCount=stack.size,
            KeyName=key,
            SubnetId=subnet,
            SecurityGroupIds=[network.group],
            UserData=f"#!/bin/sh\necho {stack.name}\n",
            TagSpecifications=tagged("instance", tags) + tagged("volume", tags),
        )
        found += [instance["InstanceId"] for instance in made["Instances"]]
    if not stack.is_production:
        ec2.stop_instances(InstanceIds=found[-1:])
    return found


def _disks(ec2: Any, stack: Stack, instances: list[str]) -> None:
    for number in range(stack.size):
        name = f"{stack.name}-data-{number + 1}"
        volume = ec2.create_volume(
            AvailabilityZone=f"{stack.region}a",
            Size=100,
            VolumeType="gp3",
            Encrypted=stack.is_production,
            TagSpecifications=tagged("volume", stack.tags(name)),
        )["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=instances[number], Device="/dev/sdf")
        ec2.create_snapshot(
            VolumeId=volume, Description=f"daily of {name}", TagSpecifications=tagged("snapshot", stack.tags(name))
        )
    image = ec2.create_image(InstanceId=instances[0], Name=f"{stack.name}-golden", Description="golden image")
    ec2.create_tags(Resources=[image["ImageId"]], Tags=pairs(stack.tags(f"{stack.name}-golden")))
