output "role_arn" {
  description = "The role, for `role_arn` in a profile."
  value       = aws_iam_role.scanner.arn
}

output "policy_arns" {
  description = "The policies, for other roles that scan."
  value       = aws_iam_policy.scanner[*].arn
}
