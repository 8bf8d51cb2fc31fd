variable "role_name" {
  description = "Name of the role; the same in every account, so that a profile can name them by one pattern."
  type        = string
  default     = "aws-scanner-readonly"
}

variable "trusted_principal_arns" {
  description = "Who may assume the role: ARNs of roles or users."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.trusted_principal_arns : !strcontains(arn, "*")])
    error_message = "A trusted principal is one role or user: no wildcards."
  }
}

variable "external_id" {
  description = "ExternalId that the trusted principals must give (`external_id` in the profile); null: none."
  type        = string
  default     = null
}

variable "allow_session_tags" {
  description = "Whether the trusted principals may pass session tags."
  type        = bool
  default     = false
}

variable "github" {
  description = "A CI role for GitHub Actions: the account's OIDC provider, and the exact subjects that are let in."
  type = object({
    provider_arn = string
    subjects     = list(string)
  })
  default = null
}

variable "max_session_duration" {
  description = "Seconds that a session may last. Role chaining ends after an hour whatever this says."
  type        = number
  default     = 3600

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "Between 3600 and 43200 seconds."
  }
}

variable "permissions_boundary_arn" {
  description = "A permissions boundary for the role; null: none."
  type        = string
  default     = null
}

variable "list_organization" {
  description = "Whether this account lists the accounts of the organization (its management or delegated account)."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of role and policies."
  type        = map(string)
  default     = {}
}
