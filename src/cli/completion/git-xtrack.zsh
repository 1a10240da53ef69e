#compdef git-xtrack
# Completion of `git xtrack` and `git-xtrack` in zsh: asks the program what may come next.

# Called with the words after the name of the program, for `git xtrack` too.
_git-xtrack() {
    local line separator=$words[(I)--]
    local -a asked lines closed open closed_about open_about
    # Behind `--` stands another program's command line.
    if (( separator && separator < CURRENT )) && [[ $words[2] == (record|run|begin) ]]; then
        shift $separator words
        (( CURRENT -= separator ))
        _normal
        return
    fi
    asked=(git-xtrack)
    [[ -n ${opt_args[-C]} ]] && asked+=(-C "${(Q)opt_args[-C]}")
    (( CURRENT > 2 )) && asked+=("${(Q@)words[2,CURRENT-1]}")
    lines=("${(@f)$(git-xtrack complete -- "${asked[@]}" "${(Q)PREFIX}" 2>/dev/null)}")
    lines=(${lines:#})
    for line in $lines; do
        if [[ ${line%%$'\t'*} == *[=/.] ]]; then
            open+=("${line%%$'\t'*}") open_about+=("${line/$'\t'/  }")
        else
            closed+=("${line%%$'\t'*}") closed_about+=("${line/$'\t'/  }")
        fi
    done
    (( $#lines )) || { _files; return }
    local -i found=1
    (( $#closed )) && compadd -l -V runs -d closed_about -a closed && found=0
    (( $#open )) && compadd -l -V names -S '' -d open_about -a open && found=0
    return found
}

# Loaded by its name this file is the function; sourced, it only defines it.
if [[ $zsh_eval_context == *loadautofunc* || $funcstack[1] == _git-xtrack ]]; then
    _git-xtrack "$@"
elif (( $+functions[compdef] )); then
    compdef _git-xtrack git-xtrack
fi
