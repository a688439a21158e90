#if management
  # The hub may manage this router: accepted before the first static rule, and only where something
  # could drop it, since the first rule of a router without any switches connection tracking on.
  :local iwWant 0
  :if ($iwNeed) do={
    :set iwWant {{management_rules}}
  } else={ :put "iwas-wg: no firewall rule is needed: chain input has no static drop, reject, tarpit or jump" }
  :if (($iwGood != $iwWant) or ([:len $iwOurs] != $iwWant)) do={
    :if ($iwNeed) do={
#if management_icmp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag disabled=no place-before=$iwFirst
#end
#if management_tcp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port=$iwPorts \
        comment=$iwTag disabled=no place-before=$iwFirst
#end
#if management_snmp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=udp dst-port=161 \
        comment=$iwTag disabled=no place-before=$iwFirst
#end
      :put "iwas-wg: management from the hub accepted on $iwIf"
    }
    /ip firewall filter remove $iwOurs
    :set iwGood $iwWant
    :set iwDid true
  }
  :set iwWant 0
  :if ($iwRawNeed) do={ :set iwWant 1 }
  :if (($iwRawGood != $iwWant) or ([:len $iwRawOurs] != $iwWant)) do={
    :if ($iwRawNeed) do={
      /ip firewall raw add chain=prerouting action=accept in-interface=$iwIf src-address=$iwHub comment=$iwTag disabled=no place-before=$iwRawFirst
      :put "iwas-wg: the hub accepted on $iwIf in the raw table"
    }
    /ip firewall raw remove $iwRawOurs
    :set iwRawGood $iwWant
    :set iwDid true
  }
#else
  # The firewall is left alone; only rules of ours from an earlier run go.
  :if (([:len $iwOurs] + [:len $iwRawOurs]) > 0) do={
    /ip firewall filter remove $iwOurs
    /ip firewall raw remove $iwRawOurs
    :put "iwas-wg: management rules removed"
    :set iwDid true
  }
#end
