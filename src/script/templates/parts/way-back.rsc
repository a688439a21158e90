#- A netwatch entry puts the old session back if this script cannot: after a power cut or a lost
#- import. It looks after three minutes, or five after a start, and goes by itself once the hub
#- answers. RouterOS keeps netwatch where device-mode refuses the scheduler.
:do {
  :local iwDo "/interface wireguard peers set [find where comment=\"$iwTag\"] public-key=\"$iwWasPub\" endpoint-address=\"$iwWasEp\" endpoint-port=$iwWasPort"
  :if ($iwWasPsk != "") do={ :set iwDo "$iwDo preshared-key=\"$iwWasPsk\"" }
  :if (($iwWasPsk = "") and ($iwNewPsk != "")) do={
    :set iwDo "$iwDo\n:do { /interface wireguard peers set [find where comment=\"$iwTag\"] preshared-key=none } on-error={ }"
    :set iwDo "$iwDo\n:do { /interface wireguard peers set [find where comment=\"$iwTag\"] preshared-key=\"\" } on-error={ }"
  }
  :if ($iwNewKey) do={ :set iwDo "$iwDo\n/interface wireguard set [find where comment=\"$iwTag\"] private-key=\"$iwWasKey\"" }
  :set iwDo "$iwDo\n:log warning \"iwas-wg: the old session is back after an interrupted script\""
  :set iwDo "$iwDo\n/tool netwatch remove [find where comment=\"$iwBackTag\"]"
  :local iwDone ":delay 5m\n/tool netwatch remove [find where comment=\"$iwBackTag\"]"
  /tool netwatch add host={{hub_ip}} interval=3m timeout=3s down-script=$iwDo up-script=$iwDone comment=$iwBackTag
} on-error={ :put "iwas-wg: no way back over a power cut, netwatch refused it" }
