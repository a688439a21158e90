source <(IWAS_WG_COMPLETE=bash iwas-wg 2>/dev/null)
