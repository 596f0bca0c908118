#compdef agentctl

_agentctl_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _AGENTCTL_COMPLETE=complete_zsh agentctl)
}

compdef _agentctl_completion agentctl
