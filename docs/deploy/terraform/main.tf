# The role that aws-scanner assumes. It may read what the catalog asks for (policies.tf.json), and nothing else.

locals {
  path      = "/"
  externals = var.external_id == null ? {} : { "sts:ExternalId" = var.external_id }

  # The actions of an organization's account list; only its management or delegated account can use them.
  organization_actions = [
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
  ]

  pieces = concat(local.aws_scanner_actions, var.list_organization ? [local.organization_actions] : [])
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = length(var.trusted_principal_arns) == 0 ? [] : [1]
    content {
      sid     = "Principals"
      actions = concat(["sts:AssumeRole"], var.allow_session_tags ? ["sts:TagSession"] : [])
      principals {
        type        = "AWS"
        identifiers = var.trusted_principal_arns
      }
      dynamic "condition" {
        for_each = local.externals
        content {
          test     = "StringEquals"
          variable = condition.key
          values   = [condition.value]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = var.github == null ? [] : [var.github]
    content {
      sid     = "GitHubActions"
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [statement.value.provider_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:aud"
        values   = ["sts.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:sub"
        values   = statement.value.subjects
      }
    }
  }
}

resource "aws_iam_role" "scanner" {
  name                 = var.role_name
  path                 = local.path
  description          = "Read-only inventory by aws-scanner"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

# A managed policy holds 6,144 characters: the actions come in as many pieces as that takes.
resource "aws_iam_policy" "scanner" {
  count       = length(local.pieces)
  name        = "${var.role_name}-${count.index + 1}"
  path        = local.path
  description = "What aws-scanner reads, part ${count.index + 1} of ${length(local.pieces)}"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AwsScanner"
      Effect   = "Allow"
      Action   = local.pieces[count.index]
      Resource = "*"
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "scanner" {
  count      = length(local.pieces)
  role       = aws_iam_role.scanner.name
  policy_arn = aws_iam_policy.scanner[count.index].arn
}
