//! The scripts that shells load.

use crate::args::Shell;

const BASH: &str = r#"# bash completion of cairn; made by: cairn completion bash
_cairn() {
    local IFS=$'\n' words=("${COMP_WORDS[@]}") index=$COMP_CWORD
    # Words are cut at = and : by default; cairn wants them whole.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cur prev cword
        _get_comp_words_by_ref -n "=:" cur prev words cword
        index=$cword
    fi
    COMPREPLY=($("${COMP_WORDS[0]}" __complete --index "$index" -- "${words[@]}" 2>/dev/null))
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "${words[index]}"
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}
complete -F _cairn cairn
"#;

const ZSH: &str = r#"#compdef cairn
# zsh completion of cairn; made by: cairn completion zsh
_cairn() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete --index $((CURRENT - 1)) -- "${words[@]}" 2>/dev/null)}")
    [[ -n "${found[1]}" ]] && compadd -- "${found[@]}"
}
if [[ "${funcstack[1]}" == _cairn ]]; then _cairn "$@"; else compdef _cairn cairn; fi
"#;

const FISH: &str = r#"# fish completion of cairn; made by: cairn completion fish
function __cairn_complete
    set -l words (commandline --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor)
    $words[1] __complete --index (math (count $words) - 1) -- $words 2>/dev/null
end
complete --command cairn --no-files --arguments '(__cairn_complete)'
"#;

/// The script of one shell.
pub(crate) fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    }
}
