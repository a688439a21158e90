# iwas-wg "0.1.0": "install" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# org "K\C3\A4ffchen & \"S\C3\B6hne\" \$1"
# description "zwei\0AZeilen; /system reboot\\"
# tag city "wien\3F"
# For RouterOS 7.1 and later.
# Every object it makes carries the comment "iwas-wg:cafe-central"; it touches no other.
# CONTAINS A PRIVATE KEY: whoever reads this file can join the VPN as this router.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
# Then: /file remove "cafe-central.rsc"   and   /console clear-history   (both hold the key)
# Undo: on the hub  iwas-wg script render "cafe-central" --kind remove  and import that here.
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag "iwas-wg:cafe-central"
  :local iwIf "wireguard-iwas"
  :local iwKey "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
  :local iwMine "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
  :local iwPub "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  :local iwEp "vpn.example.com"
  :local iwPort 51820
  :local iwAllow "0.0.0.0/0"
  :local iwAllowList "0.0.0.0/0"
  :local iwAddr "10.0.0.7/24"
  :local iwNet "10.0.0.0"
  :local iwHub "10.0.0.1"
  # Warnings, each after "; ".
  :local iwBad ""
  :local iwFault ""
  # 1. Look before touching anything: what is in the way and is not ours stops the script here.
  :local iwOld $iwTag
  :local iwBare false
  :foreach iwI in=[/interface find where name=$iwIf] do={
    :local iwHas ("" . [/interface get $iwI comment])
    :if ($iwHas != $iwTag) do={
      # The same key under another tag is this very router, renamed on the hub; with no comment at
      # all it is the work of an older script without tags. Both are taken over.
      :foreach iwJ in=[/interface wireguard find where name=$iwIf] do={
        :if (("" . [/interface wireguard get $iwJ public-key]) = $iwMine) do={
          :if ($iwHas ~ "^iwas-wg:") do={ :set iwOld $iwHas }
          :if ($iwHas = "") do={ :set iwBare true }
        }
      }
      :if (($iwOld = $iwTag) and (!$iwBare)) do={ :error "iwas-wg: interface $iwIf exists and is not ours (comment: $iwHas); rename or remove it first. Nothing was changed" }
    }
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several WireGuard interfaces carry the comment $iwTag; keep one. Nothing was changed" }
  :local iwNow $iwIf
  :foreach iwI in=[/interface wireguard find where comment=$iwTag] do={ :set iwNow ("" . [/interface wireguard get $iwI name]) }
  :foreach iwI in=[/interface wireguard find where listen-port=51820] do={
    :local iwName ("" . [/interface wireguard get $iwI name])
    :if ($iwName != $iwNow) do={ :error "iwas-wg: WireGuard interface $iwName has our UDP port; set listen_port = 0 on the hub and render again. Nothing was changed" }
  }
  :foreach iwI in=[/interface wireguard peers find where interface=$iwNow] do={
    :local iwHas ("" . [/interface wireguard peers get $iwI comment])
    :local iwOurs (($iwHas = $iwTag) or ($iwHas = $iwOld) or ($iwBare and ($iwHas = "")))
    :if (!$iwOurs) do={ :error "iwas-wg: interface $iwNow has a peer that is not ours (comment: $iwHas); remove it first. Nothing was changed" }
  }
  :local iwCount [:len [/interface wireguard peers find where comment=$iwTag]]
  :if ($iwBare) do={ :set iwCount [:len [/interface wireguard peers find where interface=$iwIf]] }
  :if ($iwCount > 1) do={ :error "iwas-wg: several peers are or would be $iwTag; keep one. Nothing was changed" }
  :set iwCount [:len [/ip address find where comment=$iwTag]]
  :if ($iwBare) do={ :set iwCount [:len [/ip address find where interface=$iwIf]] }
  :if ($iwCount > 1) do={ :error "iwas-wg: several addresses are or would be $iwTag; keep one. Nothing was changed" }
  :foreach iwI in=[/ip address find where address=$iwAddr] do={
    :local iwHas ("" . [/ip address get $iwI comment])
    :local iwOurs (($iwHas = $iwTag) or ($iwHas = $iwOld) or ($iwBare and (("" . [/ip address get $iwI interface]) = $iwIf)))
    :if (!$iwOurs) do={ :error "iwas-wg: address $iwAddr is in use on another interface; remove it there first. Nothing was changed" }
  }
  # A network of this router that overlaps the VPN's would lose its traffic to the tunnel.
  :local iwClash ""
  :do {
    :foreach iwI in=[/ip address find where disabled=no] do={
      :local iwHas ("" . [/ip address get $iwI comment])
      :local iwOurs (($iwHas = $iwTag) or ($iwHas = $iwOld) or ($iwBare and (("" . [/ip address get $iwI interface]) = $iwIf)))
      :if (!$iwOurs) do={
        :set iwHas ("" . [/ip address get $iwI address])
        :local iwCut [:find $iwHas "/"]
        :local iwMask ((255.255.255.255 << (32 - [:tonum [:pick $iwHas ($iwCut + 1) [:len $iwHas]]])) & 255.255.255.0)
        :if (([:toip [:pick $iwHas 0 $iwCut]] & $iwMask) = (10.0.0.0 & $iwMask)) do={ :set iwClash $iwHas }
      }
    }
  } on-error={ :put "iwas-wg: WARNING could not compare this router's addresses with the VPN network" }
  :if ($iwClash != "") do={ :error "iwas-wg: address $iwClash of this router overlaps the VPN network; use another network there or on the hub. Nothing was changed" }
  # 2. From here on things change. A second run finds them as wanted and changes nothing.
  :local iwDid false
  # The interface gets its tag last: it is what a run that was cut off is continued by.
  :if ($iwOld != $iwTag) do={
    :put "iwas-wg: taking over what was made for $iwOld, this router under its former name"
    /interface wireguard set [find where comment="$iwOld next key"] comment="$iwTag next key"
    /interface wireguard peers set [find where comment=$iwOld] comment=$iwTag
    /ip address set [find where comment=$iwOld] comment=$iwTag
    /ip firewall filter set [find where comment=$iwOld] comment=$iwTag
    /ip firewall raw set [find where comment=$iwOld] comment=$iwTag
    /ip route set [find where comment=$iwOld] comment=$iwTag
    :do { /ipv6 route set [find where comment=$iwOld] comment=$iwTag } on-error={ }
    /tool netwatch remove [find where comment="$iwOld way back"]
    /tool netwatch set [find where comment=$iwOld] comment=$iwTag
    /interface wireguard set [find where comment=$iwOld] comment=$iwTag
    :set iwDid true
  }
  :if ($iwBare) do={
    :put "iwas-wg: taking over $iwIf, made by an older script without tags"
    /interface wireguard peers set [find where interface=$iwIf] comment=$iwTag
    /ip address set [find where interface=$iwIf] comment=$iwTag
    /interface wireguard set [find where name=$iwIf] comment=$iwTag
    :set iwDid true
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] = 0) do={
    /interface wireguard add name=$iwIf private-key=$iwKey mtu=1420 comment=$iwTag
    :put "iwas-wg: interface $iwIf added"
    :set iwDid true
  }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :if (("" . [/interface wireguard get $iwId name]) != $iwIf) do={
    /interface wireguard set $iwId name=$iwIf
    :put "iwas-wg: interface $iwNow renamed to $iwIf"
    :set iwDid true
  }
  :if ([:tonum [/interface wireguard get $iwId listen-port]] != 51820) do={
    /interface wireguard set $iwId listen-port=51820
    :put "iwas-wg: listen port set"
    :set iwDid true
  }
  :if ([:tonum [/interface wireguard get $iwId mtu]] != 1420) do={
    /interface wireguard set $iwId mtu=1420
    :put "iwas-wg: MTU set"
    :set iwDid true
  }
  :if ([/interface wireguard get $iwId disabled]) do={
    /interface wireguard set $iwId disabled=no
    :put "iwas-wg: interface enabled"
    :set iwDid true
  }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
    # What is the new session's is set before the peer that uses it is there.
    :if (("" . [/interface wireguard get $iwId public-key]) != $iwMine) do={ /interface wireguard set $iwId private-key=$iwKey }
    # All in one statement: a peer without endpoint and keepalive would never call.
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=25s comment=$iwTag
    :put "iwas-wg: peer added"
    :set iwDid true
  }
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :if (("" . [/interface wireguard peers get $iwPeer interface]) != $iwIf) do={
    /interface wireguard peers set $iwPeer interface=$iwIf
    :set iwDid true
  }
  # A list reads back joined with semicolons.
  :local iwHave ("" . [:tostr [/interface wireguard peers get $iwPeer allowed-address]])
  :if (($iwHave != $iwAllow) and ($iwHave != $iwAllowList)) do={
    /interface wireguard peers set $iwPeer allowed-address=$iwAllow
    :put "iwas-wg: allowed addresses set to $iwAllow"
    :set iwDid true
  }
  :local iwKeep 0s
  :local iwHas [/interface wireguard peers get $iwPeer persistent-keepalive]
  :if ([:typeof $iwHas] = "time") do={ :set iwKeep $iwHas }
  :if ($iwKeep != 25s) do={
    /interface wireguard peers set $iwPeer persistent-keepalive=25s
    :put "iwas-wg: keepalive set"
    :set iwDid true
  }
  :if ([/interface wireguard peers get $iwPeer disabled]) do={
    /interface wireguard peers set $iwPeer disabled=no
    :put "iwas-wg: peer enabled"
    :set iwDid true
  }
  :if ([:len [/ip address find where comment=$iwTag]] = 0) do={
    /ip address add address=$iwAddr network=$iwNet interface=$iwIf comment=$iwTag
    :put "iwas-wg: address $iwAddr added"
    :set iwDid true
  }
  :local iwAid [:pick [/ip address find where comment=$iwTag] 0]
  :if (("" . [/ip address get $iwAid address]) != $iwAddr) do={
    /ip address set $iwAid address=$iwAddr network=$iwNet
    :put "iwas-wg: address set to $iwAddr"
    :set iwDid true
  }
  :if (("" . [/ip address get $iwAid network]) != $iwNet) do={
    /ip address set $iwAid network=$iwNet
    :set iwDid true
  }
  :if (("" . [/ip address get $iwAid interface]) != $iwIf) do={
    /ip address set $iwAid interface=$iwIf
    :set iwDid true
  }
  :if ([/ip address get $iwAid disabled]) do={
    /ip address set $iwAid disabled=no
    :put "iwas-wg: address enabled"
    :set iwDid true
  }
  # Routes of ours that are no longer wanted go, the wanted ones come.
  :local iwWant ",,"
  :foreach iwI in=[/ip route find where comment=$iwTag] do={
    :local iwDst ("" . [/ip route get $iwI dst-address])
    :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
      /ip route remove $iwI
      :put "iwas-wg: route to $iwDst removed"
      :set iwDid true
    }
  }
  :do {
    :local iwWant ",,"
    :foreach iwI in=[/ipv6 route find where comment=$iwTag] do={
      :local iwDst ("" . [/ipv6 route get $iwI dst-address])
      :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
        /ipv6 route remove $iwI
        :put "iwas-wg: route to $iwDst removed"
        :set iwDid true
      }
    }
  } on-error={ :put "iwas-wg: WARNING could not set the IPv6 routes" }
  :local iwPorts ""
  :local iwPortList ""
  # The ports that the services have on this router.
  :do {
    :foreach iwS in=[:toarray "ssh,winbox,api,api-ssl"] do={
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
    :set iwPorts "22,8291,8728,8729"
    :set iwPortList "22;8291;8728;8729"
  }
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
      :if ($iwIs = "accept $iwIf $iwHub icmp ") do={ :set iwGood ($iwGood + 1) }
      :if (($iwIs = "accept $iwIf $iwHub tcp $iwPorts") or ($iwIs = "accept $iwIf $iwHub tcp $iwPortList")) do={ :set iwGood ($iwGood + 1) }
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
  # The hub may manage this router: accepted before the first static rule, and only where something
  # could drop it, since the first rule of a router without any switches connection tracking on.
  :local iwWant 0
  :if ($iwNeed) do={
    :set iwWant 2
  } else={ :put "iwas-wg: no firewall rule is needed: chain input has no static drop, reject, tarpit or jump" }
  :if (($iwGood != $iwWant) or ([:len $iwOurs] != $iwWant)) do={
    :if ($iwNeed) do={
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag disabled=no place-before=$iwFirst
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port=$iwPorts \
        comment=$iwTag disabled=no place-before=$iwFirst
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
  :local iwDog "{\0A  :global iwDog9b91676c6e16a9e9\0A  :local iwMark (\"\" . [/system resource get uptime])\0A  :set iwDog9b91676c6e16a9e9 \$iwMark\0A  :local iwPause 1m\0A  :local iwTry 0\0A  :local iwGo true\0A  :while (\$iwGo) do={\0A\
    \20   :delay \$iwPause\0A    :set iwPause (\$iwPause + \$iwPause)\0A    :if (\$iwPause > 30m) do={ :set iwPause 30m }\0A    :set iwGo false\0A    :foreach iwI in=[/tool netwatch find where comment=\"iwas-wg:cafe-central\"] do={\0A    \
    \20 :if ((\"\" . [/tool netwatch get \$iwI status]) = \"down\") do={ :set iwGo true }\0A    }\0A    :local iwPeers [/interface wireguard peers find where comment=\"iwas-wg:cafe-central\" and disabled=no]\0A    :if (([:len \$iwPeers] =\
    \200) or (\$iwMark != (\"\" . \$iwDog9b91676c6e16a9e9))) do={ :set iwGo false }\0A    :local iwDark \$iwGo\0A    :foreach iwI in=\$iwPeers do={\0A      :local iwAge [/interface wireguard peers get \$iwI last-handshake]\0A      :if ([:\
    typeof \$iwAge] = \"time\") do={\0A        :if (\$iwAge < 3m) do={ :set iwDark false }\0A      }\0A    }\0A    :local iwIs \"vpn.example.com\"\0A    :do { :set iwIs (\"\" . [:resolve \"vpn.example.com\"]) } on-error={ :set iwIs \"\" }\
    \0A    :if (\$iwDark) do={\0A      # Without internet of its own the router can do nothing.\0A      :local iwNet 0\0A      :foreach iwA in=[:toarray \"\$iwIs,1.1.1.1,9.9.9.9\"] do={\0A        :do { :if (\$iwNet = 0) do={ :set iwNet [/\
    ping (\"\" . \$iwA) count=2] } } on-error={ }\0A      }\0A      :if (\$iwNet = 0) do={ :set iwDark false }\0A    }\0A    :foreach iwI in=\$iwPeers do={\0A      :local iwHas (\"\" . [/interface wireguard peers get \$iwI endpoint-addres\
    s])\0A      :local iwUsed (\"\" . [/interface wireguard peers get \$iwI current-endpoint-address])\0A      :if (\$iwDark and (\$iwIs != \"\") and ((\$iwIs != \$iwUsed) or (\$iwHas != \"vpn.example.com\"))) do={\0A        :log warning \
    \"iwas-wg: the tunnel is dark, following the endpoint to \$iwIs\"\0A        # The same name again might change nothing: by its address it does.\0A        /interface wireguard peers set \$iwI endpoint-address=\$iwIs\0A        /interfac\
    e wireguard peers set \$iwI endpoint-address=\"vpn.example.com\"\0A        :set iwDark false\0A      }\0A    }\0A    # A NAT entry on the way may be stuck: another port leaves it. Not for ever, each is a write.\0A    :if (\$iwDark and\
    \20(\$iwTry < 6)) do={\0A      :set iwTry (\$iwTry + 1)\0A      :foreach iwI in=[/interface wireguard find where comment=\"iwas-wg:cafe-central\"] do={\0A        :local iwNewPort ([/interface wireguard get \$iwI listen-port] + 1)\0A  \
    \20     :local iwFree false\0A        :while (!\$iwFree) do={\0A          :if (\$iwNewPort > 65000) do={ :set iwNewPort 51821 }\0A          :set iwFree true\0A          :if ([:len [/interface wireguard find where listen-port=\$iwNewPo\
    rt]] > 0) do={\0A            :set iwFree false\0A            :set iwNewPort (\$iwNewPort + 1)\0A          }\0A        }\0A        :log warning \"iwas-wg: the tunnel is dark, calling the hub from port \$iwNewPort\"\0A        /interface\
    \20wireguard set \$iwI listen-port=\$iwNewPort\0A      }\0A    }\0A  }\0A}\0A"
  :if ([:len [/tool netwatch find where comment=$iwTag]] = 0) do={
    /tool netwatch add host=10.0.0.1 interval=1m timeout=3s down-script=$iwDog comment=$iwTag
    :put "iwas-wg: watchdog added"
    :set iwDid true
  }
  :local iwWid [:pick [/tool netwatch find where comment=$iwTag] 0]
  :if ((("" . [/tool netwatch get $iwWid down-script]) != $iwDog) or (("" . [/tool netwatch get $iwWid host]) != $iwHub)) do={
    /tool netwatch set $iwWid host=10.0.0.1 down-script=$iwDog
    :put "iwas-wg: watchdog updated"
    :set iwDid true
  }
  # 3. What would keep the tunnel or the management from working. None of it is fatal or changed.
  :do {
    :local iwDay ("" . [/system clock get date])
    :put ("iwas-wg: clock $iwDay " . [/system clock get time])
    :if ($iwDay ~ "1970") do={ :set iwBad "$iwBad; the clock is in 1970, so the hub may refuse handshakes until NTP has set it" }
  } on-error={ :put "iwas-wg: clock cannot be read" }
  :do {
    :local iwNtp "off"
    :if ([/system ntp client get enabled]) do={ :set iwNtp ("on, " . [/system ntp client get status]) }
    :put "iwas-wg: ntp $iwNtp"
    :if ($iwNtp = "off") do={ :set iwBad "$iwBad; the NTP client is off, so after a power cut the hub may refuse this router's handshakes" }
  } on-error={ :put "iwas-wg: ntp cannot be read" }
  :local iwNameIs ""
  :do {
    :set iwNameIs ("" . [:resolve $iwEp])
    :put "iwas-wg: endpoint $iwEp is $iwNameIs"
  } on-error={ :set iwBad "$iwBad; this router cannot resolve $iwEp (see /ip dns)" }
  :foreach iwS in=[:toarray "ssh,winbox,api,api-ssl"] do={
    :do {
      :local iwSvc [:tostr $iwS]
      :local iwSid [:pick [/ip service find where name=$iwSvc] 0]
      :local iwFrom [/ip service get $iwSid address]
      :put ("iwas-wg: service $iwSvc, port " . [/ip service get $iwSid port] . ", accepts from " . [:tostr $iwFrom] . " (empty: everywhere)")
      :if ([/ip service get $iwSid disabled]) do={
        :set iwBad "$iwBad; service $iwSvc is disabled"
      } else={
        :local iwIn true
        :foreach iwN in=$iwFrom do={ :set iwIn false }
        :foreach iwN in=$iwFrom do={
          :if ([:typeof $iwN] = "ip-prefix") do={ :if (10.0.0.1 in $iwN) do={ :set iwIn true } }
          :if (("" . $iwN) = $iwHub) do={ :set iwIn true }
        }
        :if (!$iwIn) do={ :set iwBad ("$iwBad; service $iwSvc accepts only " . [:tostr $iwFrom] . ", not the hub ($iwHub)") }
      }
    } on-error={ :put "iwas-wg: service $iwS cannot be read" }
  }
  :do {
    :foreach iwI in=[/user find] do={
      :local iwFrom [/user get $iwI address]
      :local iwIn true
      :foreach iwN in=$iwFrom do={ :set iwIn false }
      :foreach iwN in=$iwFrom do={
        :if ([:typeof $iwN] = "ip-prefix") do={ :if (10.0.0.1 in $iwN) do={ :set iwIn true } }
        :if (("" . $iwN) = $iwHub) do={ :set iwIn true }
      }
      :if ([/user get $iwI disabled]) do={ :set iwIn true }
      :if (!$iwIn) do={ :set iwBad ("$iwBad; user " . [/user get $iwI name] . " may log in only from " . [:tostr $iwFrom] . ", not from the hub ($iwHub)") }
    }
  } on-error={ :put "iwas-wg: the users cannot be read" }
  :local iwBackTag "$iwTag way back"
  :local iwAlive false
  :local iwSeen 0s
  :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
  :if ([:typeof $iwAge] = "time") do={
    :if ($iwAge < 3m) do={ :set iwAlive true }
    # When the last handshake was, on this router's uptime; a second is lost in rounding.
    :set iwSeen (([/system resource get uptime] - $iwAge) + 1s)
  }
  :local iwWasKey ("" . [/interface wireguard get $iwId private-key])
  :local iwWasPub ("" . [/interface wireguard peers get $iwPeer public-key])
  :local iwWasPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwWasPsk] != 44) do={ :set iwWasPsk "" }
  :local iwWasEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
  :local iwWasPort ("" . [/interface wireguard peers get $iwPeer endpoint-port])
  :local iwNewPsk ""
  :local iwNewKey false
  :if (("" . [/interface wireguard get $iwId public-key]) != $iwMine) do={ :set iwNewKey true }
  # A ping through the old session says nothing of another key: then only a handshake counts.
  :local iwKeys ($iwNewKey or ($iwWasPub != $iwPub) or ($iwWasPsk != $iwNewPsk))
  :local iwMoved (($iwWasEp != $iwEp) or ($iwWasPort != ("" . $iwPort)))
  :local iwSwap ($iwKeys or $iwMoved)
  :if ($iwNewKey and ([:len $iwWasKey] != 44)) do={ :set iwAlive false }
  :if ($iwSwap and $iwAlive) do={
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
      /tool netwatch add host=10.0.0.1 interval=3m timeout=3s down-script=$iwDo up-script=$iwDone comment=$iwBackTag
    } on-error={ :put "iwas-wg: no way back over a power cut, netwatch refused it" }
  }
  :if ($iwSwap) do={
    :set iwDid true
    # Within the same second the old handshake and the new one could not be told apart.
    :delay 2s
    :if ($iwMoved) do={ :put "iwas-wg: endpoint set to $iwEp port $iwPort" }
    :if ($iwKeys) do={ :put "iwas-wg: keys of the session set" }
    :if ($iwWasPsk != "") do={
      # One statement, or none has happened: versions differ in the word that unsets it.
      :do { /interface wireguard peers set $iwPeer preshared-key="" } on-error={ }
      :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
        :do { /interface wireguard peers set $iwPeer preshared-key=none } on-error={ }
      }
      :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
        :set iwBad "$iwBad; this version cannot unset a preshared key: make one on the hub (iwas-wg peer rotate --preshared)"
      }
    }
    :if ($iwMoved or ($iwWasPub != $iwPub)) do={ /interface wireguard peers set $iwPeer public-key=$iwPub endpoint-address=$iwEp endpoint-port=$iwPort }
    :if ($iwNewKey) do={ /interface wireguard set $iwId private-key=$iwKey }
  }
  :local iwUp false
  # 4. Wait a bounded time for the hub's answer.
  :local iwWhy "none after 40s: check outbound UDP to $iwEp port $iwPort, the clock and the hub"
  :local iwTries 21
  :local iwWait true
  # A preshared key alone takes part in the next handshake, which is due after two minutes at most.
  :if ($iwAlive and ($iwWasPsk != $iwNewPsk) and (!$iwNewKey)) do={
    :set iwTries 76
    :set iwWhy "none within 150s after the preshared key changed: look at the hub"
    :put "iwas-wg: waiting up to 150s for a handshake with the other preshared key"
  }
  # Something to send makes the router call.
  :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
  :for iwN from=1 to=75 do={
    :if ($iwWait and (!$iwUp) and ($iwN < $iwTries)) do={
      :if ($iwSwap or ($iwN > 1)) do={ :delay 2s }
      :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
      :if ([:typeof $iwAge] = "time") do={
        :if ($iwSwap) do={
          :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
        } else={
          :if ($iwAge < 3m) do={ :set iwUp true }
        }
      }
      :if ((!$iwUp) and $iwMoved and (!$iwKeys)) do={
        # The old session may go on at the new endpoint: then traffic is the proof.
        :do { :if ([/ping 10.0.0.1 count=1] > 0) do={ :set iwUp true } } on-error={ }
      }
    }
  }
  :if ($iwWait and (!$iwUp) and $iwSwap and $iwAlive) do={
    # 5. The way back.
    /interface wireguard peers set $iwPeer public-key=$iwWasPub endpoint-address=$iwWasEp endpoint-port=$iwWasPort
    :if ($iwWasPsk != $iwNewPsk) do={
      :if ($iwWasPsk = "") do={
        # One statement, or none has happened: versions differ in the word that unsets it.
        :do { /interface wireguard peers set $iwPeer preshared-key="" } on-error={ }
        :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
          :do { /interface wireguard peers set $iwPeer preshared-key=none } on-error={ }
        }
      } else={ /interface wireguard peers set $iwPeer preshared-key=$iwWasPsk }
    }
    :if ($iwNewKey) do={ /interface wireguard set $iwId private-key=$iwWasKey }
    :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
    :set iwWhy "the new endpoint or keys brought none, so the old ones are back in place: $iwWhy"
    :set iwWait false
  }
  :do { /tool netwatch remove [find where comment=$iwBackTag] } on-error={ :put "iwas-wg: the way back over a power cut stays until the hub answers" }
  :if ($iwUp and (!$iwDid)) do={ :put "iwas-wg: nothing to change" }
  :local iwPings 0
  :if ($iwUp) do={
    :do {
      :local iwGot [/ping 10.0.0.1 count=3]
      :if ([:typeof $iwGot] = "num") do={ :set iwPings $iwGot }
    } on-error={ :put "iwas-wg: this account may not ping: it lacks the policy test" }
  }
  :local iwAgo "never"
  :foreach iwI in=[/interface wireguard peers find where comment=$iwTag] do={
    :local iwAge [/interface wireguard peers get $iwI last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwAgo ("" . $iwAge) }
  }
  :local iwWarn 0
  :local iwLeft $iwBad
  :while ([:len $iwLeft] > 0) do={
    :local iwText [:pick $iwLeft 2 [:len $iwLeft]]
    :local iwCut [:find $iwText "; "]
    :if ([:typeof $iwCut] != "num") do={ :set iwCut [:len $iwText] }
    :put ("iwas-wg: WARNING " . [:pick $iwText 0 $iwCut])
    :set iwWarn ($iwWarn + 1)
    :set iwLeft ("" . [:pick $iwText $iwCut [:len $iwText]])
  }
  :local iwResult "no-handshake"
  :local iwSay "iwas-wg: NO HANDSHAKE - $iwWhy"
  :if ($iwUp) do={
    :set iwResult "no-traffic"
    :local iwLook "look at the firewall of the hub"
    :if ($iwNeed and ($iwGood = 0)) do={ :set iwLook "look at chain input of this router, then at the firewall of the hub" }
    :if ($iwRawNeed and ($iwRawGood = 0)) do={ :set iwLook "a rule of /ip firewall raw may drop what comes through the tunnel" }
    :set iwSay "iwas-wg: HANDSHAKE BUT NO TRAFFIC - the hub ($iwHub) answers no ping: $iwLook$iwFault"
    :if ($iwPings > 0) do={
      :set iwResult "ok"
      :set iwSay "iwas-wg: OK"
      :if ($iwWarn = 1) do={ :set iwSay "iwas-wg: OK, 1 warning" }
      :if ($iwWarn > 1) do={ :set iwSay "iwas-wg: OK, $iwWarn warnings" }
    }
  }
  :put "iwas-wg: result=$iwResult warnings=$iwWarn handshake=$iwAgo ping=$iwPings/3"
  :log info $iwSay
  :put $iwSay
}
