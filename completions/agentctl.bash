_agentctl_completion() {
    # bash takes a line apart at ":", "=" and "@" too: what stands together in it is one word again.
    local IFS=$'\n' left=$COMP_LINE fragment words=() last=-1
    for fragment in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ $last -ge 0 && -n $COMP_LINE && $left != [[:space:]]* ]]; then
            words[last]+=$fragment
        else
            words[++last]=$fragment
            left=${left#"${left%%[![:space:]]*}"}
        fi
        left=${left#"$fragment"}
    done
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" \
                   COMP_CWORD=$last \
                   _AGENTCTL_COMPLETE=complete_bash $1 ) )
    # It replaces what stands behind the last of them alone.
    local value=${words[last]} breaks=${COMP_WORDBREAKS//[^:=@]/}
    [[ $value == -*=* ]] && value=${value#*=}
    if [[ -n $breaks && $value == *[$breaks]* ]]; then
        COMPREPLY=( "${COMPREPLY[@]#"${value%"${value##*[$breaks]}"}"}" )
    fi
    return 0
}

complete -o default -F _agentctl_completion agentctl
