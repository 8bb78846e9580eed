"""The scripts by which shells ask what may stand at the cursor; `simil --show-completion` prints one.

A script runs simil with the line in the environment (see `typed_line`). The first line of the answer is the
kind of names that may stand at the cursor if nothing else may; the others are candidates (see `answers`).
Nothing of the answer is ever run, whatever a file calls its columns. Fish does not tell what is behind the
cursor.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SCRIPTS"]

_BASH = r"""
_simil_completion() {
    local kind= line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
    done < <(
        _SIMIL_COMPLETE=bash COMP_WORDBREAKS=$COMP_WORDBREAKS \
        _SIMIL_COMPLETE_BEFORE=${COMP_LINE:0:COMP_POINT} _SIMIL_COMPLETE_AFTER=${COMP_LINE:COMP_POINT} \
            "${1/#\~/$HOME}" 2>/dev/null
    )
    case $kind in
        folders) compopt +o default -o dirnames ;;
        words) compopt +o default ;;
    esac 2>/dev/null
}

complete -o nosort -o default -F _simil_completion simil 2>/dev/null ||
    complete -o default -F _simil_completion simil
"""

_ZSH = r"""
#compdef simil

_simil() {
    local kind
    local -a before after answer
    before=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
    after=("${(@Q)${(z)BUFFER}}")  # With files that are redirected, which are no words.
    answer=("${(@f)$(
        _SIMIL_COMPLETE=zsh _SIMIL_COMPLETE_BEFORE=${(pj:\n:)before} _SIMIL_COMPLETE_AFTER=${(pj:\n:)after} \
            "${before[1]/#\~/$HOME}" 2>/dev/null
    )}")
    kind=$answer[1]
    shift answer
    if (( $#answer )); then
        _describe -V simil answer
    elif [[ $kind != words ]]; then
        compset -P '-*='
        if [[ $kind == folders ]]; then _files -/; else _files; fi
    fi
}

if [[ $funcstack[1] == _simil ]]; then
    _simil "$@"
else
    compdef _simil simil
fi
"""

_FISH = r"""
function __simil_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -lx _SIMIL_COMPLETE fish
    set -lx _SIMIL_COMPLETE_BEFORE (string join -- \n $words | string collect -N)"$word"
    set -l answer ($words[1] 2>/dev/null)
    if test (count $answer) -eq 1
        set -l option (string match -r -- '^-[^=]*=' "$word"; or echo)
        set -l path (string replace -- "$option" '' "$word" | string replace -r '^~/' "$HOME/")
        set -l home (string match -q -- "$option~/*" "$word"; and echo "$HOME"; or echo '~')
        switch $answer
            case files
                set answer $answer (__fish_complete_path "$path")
            case folders
                set answer $answer (__fish_complete_directories "$path" '')
        end
        set answer $answer[1] $option(string replace -- "$home" '~' $answer[2..])
    end
    string join -- \n $answer[2..]
end

complete --command simil --no-files --keep-order --arguments '(__simil_complete)'
"""

_POWERSHELL = r"""
Register-ArgumentCompleter -Native -CommandName simil -ScriptBlock {
    param($word, $line, $cursor)
    $words = $line.CommandElements
    $before = $words | Where-Object { $_.Extent.EndOffset -lt $cursor }
    $after = $words | Where-Object { $_.Extent.StartOffset -gt $cursor }
    $unquoted = { $_.Extent.Text.Trim("'", '"') }
    $Env:_SIMIL_COMPLETE = "powershell"
    $Env:_SIMIL_COMPLETE_BEFORE = @($before | ForEach-Object $unquoted; $word.Trim("'", '"')) -join "`n"
    $Env:_SIMIL_COMPLETE_AFTER = @($after | ForEach-Object $unquoted) -join "`n"
    try { $answer = @(& $words[0].Extent.Text 2>$null) }
    finally { Remove-Item Env:_SIMIL_COMPLETE, Env:_SIMIL_COMPLETE_BEFORE, Env:_SIMIL_COMPLETE_AFTER }
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        if (-not $about) { $about = $value }
        $typed = if ($value -match "[^\w@%+=:./-]") { "'" + $value.Replace("'", "''") + "'" } else { $value }
        [System.Management.Automation.CompletionResult]::new($typed, $value, "ParameterValue", $about)
    }
}
"""

SCRIPTS: Mapping[str, str] = {
    name: script.lstrip()
    for name, script in (("bash", _BASH), ("zsh", _ZSH), ("fish", _FISH), ("powershell", _POWERSHELL))
}
"""The script of each shell by its name."""
