#- Shared: what the firewall does with a packet of the hub. What is disabled does nothing. A rule of
#- ours is good when it is as wanted and no other static rule is before it: a jump, or a list that
#- counts connections, may shut the hub out as well as a drop.
  :local iwPorts ""
  :local iwPortList ""
#if management_tcp
  # The ports that the services have on this router.
  :do {
    :foreach iwS in=[:toarray {{management_services}}] do={
      :local iwSvc [:tostr $iwS]
      :local iwHas ("" . [/ip service get [:pick [/ip service find where name=$iwSvc] 0] port])
      :if ([:len $iwPorts] = 0) do={
        :set iwPorts $iwHas
        :set iwPortList $iwHas
      } else={
        :set iwPorts "$iwPorts,$iwHas"
        :set iwPortList "$iwPortList;$iwHas"
      }
    }
  } on-error={
    :put "iwas-wg: the ports of the services cannot be read, so the usual ones are taken"
    :set iwPorts {{management_ports}}
    :set iwPortList {{management_list}}
  }
#end
  :local iwNeed false
  :local iwFirst ""
  :local iwSeen false
  :local iwGood 0
  :local iwOurs [/ip firewall filter find where chain="input" and comment=$iwTag]
  :foreach iwI in=[/ip firewall filter find where chain="input" and dynamic=no] do={
    :local iwAct ("" . [/ip firewall filter get $iwI action])
    :local iwOff [/ip firewall filter get $iwI disabled]
    :if (("" . [/ip firewall filter get $iwI comment]) = $iwTag) do={
      :local iwIs ($iwAct . " " . [/ip firewall filter get $iwI in-interface] . " " . [/ip firewall filter get $iwI src-address])
      :set iwIs ($iwIs . " " . [/ip firewall filter get $iwI protocol] . " " . [:tostr [/ip firewall filter get $iwI dst-port]])
      :if ($iwSeen or $iwOff) do={ :set iwIs "" }
#if management_icmp
      :if ($iwIs = "accept $iwIf $iwHub icmp ") do={ :set iwGood ($iwGood + 1) }
#end
#if management_tcp
      :if (($iwIs = "accept $iwIf $iwHub tcp $iwPorts") or ($iwIs = "accept $iwIf $iwHub tcp $iwPortList")) do={ :set iwGood ($iwGood + 1) }
#end
#if management_snmp
      :if ($iwIs = "accept $iwIf $iwHub udp 161") do={ :set iwGood ($iwGood + 1) }
#end
    } else={
      :if (!$iwSeen) do={ :set iwFirst $iwI }
      :set iwSeen true
      :if ((!$iwOff) and (($iwAct = "drop") or ($iwAct = "reject") or ($iwAct = "tarpit") or ($iwAct = "jump"))) do={ :set iwNeed true }
    }
  }
  # The raw table comes before all of it.
  :local iwRawNeed false
  :local iwRawFirst ""
  :set iwSeen false
  :local iwRawGood 0
  :local iwRawOurs [/ip firewall raw find where chain="prerouting" and comment=$iwTag]
  :foreach iwI in=[/ip firewall raw find where chain="prerouting" and dynamic=no] do={
    :local iwAct ("" . [/ip firewall raw get $iwI action])
    :local iwOff [/ip firewall raw get $iwI disabled]
    :local iwOn ("" . [/ip firewall raw get $iwI in-interface])
    :if (("" . [/ip firewall raw get $iwI comment]) = $iwTag) do={
      :local iwIs ("$iwAct $iwOn " . [/ip firewall raw get $iwI src-address])
      :if ((!$iwSeen) and (!$iwOff) and ($iwIs = "accept $iwIf $iwHub")) do={ :set iwRawGood ($iwRawGood + 1) }
    } else={
      :if (!$iwSeen) do={ :set iwRawFirst $iwI }
      :set iwSeen true
      # A rule for another interface cannot hit the tunnel.
      :if ((!$iwOff) and (($iwAct = "drop") or ($iwAct = "jump")) and (($iwOn = "") or ($iwOn = $iwIf) or ($iwOn ~ "^!"))) do={ :set iwRawNeed true }
    }
  }
