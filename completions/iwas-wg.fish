IWAS_WG_COMPLETE=fish iwas-wg 2>/dev/null | source
