_iwas_wg() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(IWAS_WG_COMPLETE=bash IWAS_WG_COMPLETE_WORD=$COMP_CWORD IWAS_WG_COMPLETE_TYPE=$COMP_TYPE \
        iwas-wg -- "$2" "${COMP_WORDS[@]}" 2>/dev/null)
    # More is to follow on a directory.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o nosort -F _iwas_wg iwas-wg 2>/dev/null || complete -o bashdefault -F _iwas_wg iwas-wg
