#if watchdog
  :local iwDog {{watchdog}}
  :if ([:len [/tool netwatch find where comment=$iwTag]] = 0) do={
    /tool netwatch add host={{hub_ip}} interval=1m timeout=3s down-script=$iwDog comment=$iwTag
    :put "iwas-wg: watchdog added"
    :set iwDid true
  }
  :local iwWid [:pick [/tool netwatch find where comment=$iwTag] 0]
  :if ((("" . [/tool netwatch get $iwWid down-script]) != $iwDog) or (("" . [/tool netwatch get $iwWid host]) != $iwHub)) do={
    /tool netwatch set $iwWid host={{hub_ip}} down-script=$iwDog
    :put "iwas-wg: watchdog updated"
    :set iwDid true
  }
#else
  :if ([:len [/tool netwatch find where comment=$iwTag]] > 0) do={
    /tool netwatch remove [find where comment=$iwTag]
    :put "iwas-wg: watchdog removed"
    :set iwDid true
  }
#end
