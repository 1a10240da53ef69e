# Completion of `git xtrack` and `git-xtrack` in fish: asks the program what may come next.

function __git_xtrack_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    if set -l separator (contains -i -- -- $words)
        # Paths stand behind `--`, or another program's command line.
        if not contains -- record $words; and not contains -- run $words; and not contains -- begin $words
            __fish_complete_path $current
            return
        end
        set -l command (string escape -- $words[(math $separator + 1)..-1])
        complete -C (string join ' ' -- $command $current)
        return
    end
    git-xtrack complete -- $words $current 2>/dev/null
end

complete -c git-xtrack -f -a '(__git_xtrack_complete)'
complete -c git -f -n '__fish_git_using_command xtrack' -a '(__git_xtrack_complete)'
complete -c git -f -n __fish_git_needs_command -a xtrack -d 'Track machine-learning experiments'
