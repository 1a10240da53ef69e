# Completion of `git xtrack` and `git-xtrack` in bash: asks the program what may come next.

# Bash calls this for `git-xtrack`.
_git__xtrack() {
    local reply
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(git-xtrack complete "--line=${COMP_LINE:0:COMP_POINT}" "--word=${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
    compopt -o nospace 2>/dev/null || true
}

# Git's own completion calls this for `git xtrack`.
_git_xtrack() {
    _git__xtrack
}

complete -o bashdefault -o default -o nospace -F _git__xtrack git-xtrack
