# iwas-wg "0.1.0": "install" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# For RouterOS 7.1 and later.
# Every object it makes carries the comment "iwas-wg:cafe-central"; it touches no other.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
# Undo: on the hub  iwas-wg script render "cafe-central" --kind remove  and import that here.
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag "iwas-wg:cafe-central"
  :local iwIf "wireguard-iwas"
  :local iwPub "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  :local iwEp "192.0.2.1"
  :local iwPort 51820
  :local iwAllow "10.0.0.1/32"
  :local iwAllowList "10.0.0.1/32"
  :local iwAddr "10.0.0.7/32"
  :local iwNet "10.0.0.1"
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
      :if (($iwOld = $iwTag) and (!$iwBare)) do={ :error "iwas-wg: interface $iwIf exists and is not ours (comment: $iwHas); rename or remove it first. Nothing was changed" }
    }
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several WireGuard interfaces carry the comment $iwTag; keep one. Nothing was changed" }
  :local iwNow $iwIf
  :foreach iwI in=[/interface wireguard find where comment=$iwTag] do={ :set iwNow ("" . [/interface wireguard get $iwI name]) }
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
        :local iwMask ((255.255.255.255 << (32 - [:tonum [:pick $iwHas ($iwCut + 1) [:len $iwHas]]])) & 255.255.255.255)
        :if (([:toip [:pick $iwHas 0 $iwCut]] & $iwMask) = (10.0.0.1 & $iwMask)) do={ :set iwClash $iwHas }
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
    # Without a key given, the router makes its own.
    /interface wireguard add name=$iwIf mtu=1420 comment=$iwTag
    :put "iwas-wg: interface $iwIf added"
    :set iwDid true
  }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :if (("" . [/interface wireguard get $iwId name]) != $iwIf) do={
    /interface wireguard set $iwId name=$iwIf
    :put "iwas-wg: interface $iwNow renamed to $iwIf"
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
    # All in one statement: a peer without endpoint and keepalive would never call.
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=0s comment=$iwTag
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
  :if ($iwKeep != 0s) do={
    /interface wireguard peers set $iwPeer persistent-keepalive=0s
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
  # The firewall is left alone; only rules of ours from an earlier run go.
  :if (([:len $iwOurs] + [:len $iwRawOurs]) > 0) do={
    /ip firewall filter remove $iwOurs
    /ip firewall raw remove $iwRawOurs
    :put "iwas-wg: management rules removed"
    :set iwDid true
  }
  :if ([:len [/tool netwatch find where comment=$iwTag]] > 0) do={
    /tool netwatch remove [find where comment=$iwTag]
    :put "iwas-wg: watchdog removed"
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
  }
  :local iwUp false
  # 4. The hub learns this router's key by hand; the private key never leaves the router.
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :put "iwas-wg: public key of this router: $iwOwn"
  :local iwWhy ("the hub has to learn the key of this router; run there: iwas-wg peer provision " . "cafe-central" . " --public-key $iwOwn")
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
