"""Print the script that completes commands, options, profiles, regions and services in a shell.

For bash put `eval "$(aws-scanner completion bash)"` into ~/.bashrc; for zsh the same with zsh into ~/.zshrc, below
compinit; for fish `aws-scanner completion fish | source` into ~/.config/fish/config.fish.

Examples: aws-scanner completion bash; aws-scanner completion zsh; aws-scanner completion fish
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

# Set by the scripts: the program then prints what the last of its arguments may become, and does nothing else.
VARIABLE = "_AWS_SCANNER_COMPLETE"

# Typer's own scripts break at the colon of `ec2:instance` in bash, and in zsh evaluate what is completed.
_BASH = """\
_aws_scanner_complete() {
    local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=]/} word cut=
    local -a words
    read -r -a words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    while [[ ${#words[@]} -gt 1 && ${words[0]} != "$1" ]]; do words=("${words[@]:1}"); done
    # bash replaces only what follows the last of its word breaks.
    local current=${words[${#words[@]} - 1]}
    [[ -n $breaks ]] && cut=${current%"${current##*[$breaks]}"}
    COMPREPLY=()
    while IFS=$'\\t' read -r word _; do
        [[ -n $word ]] && COMPREPLY+=("${word#"$cut"}")
    done < <(VARIABLE=1 "${words[0]/#\\~/$HOME}" "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _aws_scanner_complete aws-scanner
"""
_ZSH = """\
#compdef aws-scanner
_aws_scanner_complete() {
    local -a found
    local line
    for line in "${(@f)$(VARIABLE=1 ${(Q)~words[1]} "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] && found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    if (( ${#found} )); then _describe aws-scanner found; else _files; fi
}
compdef _aws_scanner_complete aws-scanner
"""
_FISH = """\
function __aws_scanner_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (VARIABLE=1 $words[1] $words[2..-1] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete --command aws-scanner --no-files --arguments '(__aws_scanner_complete)'
"""
SCRIPTS = {name: text.replace("VARIABLE", VARIABLE) for name, text in (("bash", _BASH), ("zsh", _ZSH), ("fish", _FISH))}


def run(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Entry of `aws-scanner completion`."""
    typer.echo(SCRIPTS[shell], nl=False)
