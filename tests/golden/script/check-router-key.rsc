# iwas-wg "0.1.0": "check" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# For RouterOS 7.1 and later.
# It only looks and reports; nothing is changed.
# Use:  upload it as "cafe-central-check.rsc", then
#         /import file-name="cafe-central-check.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central-check.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :local iwTag "iwas-wg:cafe-central"
  :local iwIf "wireguard-iwas"
  :local iwPub "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  :local iwEp "192.0.2.1"
  :local iwPort 51820
  :local iwAddr "10.0.0.7/32"
  :local iwHub "10.0.0.1"
  :local iwBad ""
  :put ("iwas-wg: version " . [/system resource get version])
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
  :local iwIds [/interface wireguard find where comment=$iwTag]
  :if ([:len $iwIds] = 0) do={ :set iwBad "$iwBad; no interface with the comment $iwTag" }
  :foreach iwI in=$iwIds do={
    :set iwIf ("" . [/interface wireguard get $iwI name])
    :local iwOwn ("" . [/interface wireguard get $iwI public-key])
    :put ("iwas-wg: interface $iwIf, port " . [/interface wireguard get $iwI listen-port] . ", MTU " . [/interface wireguard get $iwI mtu])
    :put "iwas-wg: public key $iwOwn"
    :if ([/interface wireguard get $iwI disabled]) do={ :set iwBad "$iwBad; interface $iwIf is disabled" }
  }
  :local iwUp false
  :local iwPids [/interface wireguard peers find where comment=$iwTag]
  :if ([:len $iwPids] = 0) do={ :set iwBad "$iwBad; no peer with the comment $iwTag" }
  :foreach iwI in=$iwPids do={
    :local iwTo ("" . [/interface wireguard peers get $iwI endpoint-address])
    :local iwToPort ("" . [/interface wireguard peers get $iwI endpoint-port])
    :put "iwas-wg: endpoint $iwTo port $iwToPort"
    :local iwUsed ""
    :do { :set iwUsed ("" . [/interface wireguard peers get $iwI current-endpoint-address]) } on-error={ }
    :put "iwas-wg: endpoint in use $iwUsed"
    :if (($iwTo != $iwEp) or ($iwToPort != ("" . $iwPort))) do={ :set iwBad "$iwBad; the endpoint is not $iwEp port $iwPort" }
    :if (("" . [/interface wireguard peers get $iwI public-key]) != $iwPub) do={ :set iwBad "$iwBad; the hub has another public key" }
    :if ([/interface wireguard peers get $iwI disabled]) do={ :set iwBad "$iwBad; the peer is disabled" }
    :put ("iwas-wg: keepalive " . [/interface wireguard peers get $iwI persistent-keepalive])
    # Nothing is sent by itself: an echo to the hub makes the router call it.
    :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
    :delay 2s
    :local iwAge [/interface wireguard peers get $iwI last-handshake]
    :if ([:typeof $iwAge] = "time") do={
      :put "iwas-wg: last handshake $iwAge ago"
      :if ($iwAge < 3m) do={ :set iwUp true }
    } else={ :put "iwas-wg: last handshake never" }
  }
  :local iwAids [/ip address find where comment=$iwTag]
  :if ([:len $iwAids] = 0) do={ :set iwBad "$iwBad; no address with the comment $iwTag" }
  :foreach iwI in=$iwAids do={
    :local iwHas ("" . [/ip address get $iwI address])
    :put "iwas-wg: address $iwHas"
    :if ($iwHas != $iwAddr) do={ :set iwBad "$iwBad; the address is not $iwAddr" }
    :if ([/ip address get $iwI disabled]) do={ :set iwBad "$iwBad; the address is disabled" }
  }
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
  :put ("iwas-wg: firewall: rules of ours in chain input " . [:len $iwOurs] . " ($iwGood good), in raw " . [:len $iwRawOurs] . " ($iwRawGood good)")
  :local iwFault $iwBad
  :local iwWhy "none for more than 3 minutes: check outbound UDP to $iwEp port $iwPort, the clock and the hub$iwFault"
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
