# iwas-wg "0.1.0": "check" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# org "K\C3\A4ffchen & \"S\C3\B6hne\" \$1"
# description "zwei\0AZeilen; /system reboot\\"
# tag city "wien\3F"
# For RouterOS 7.1 and later.
# It only looks and reports; nothing is changed.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK", or what is wrong.
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :local iwTag "iwas-wg:cafe-central"
  :local iwMine "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
  :local iwPub "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  :local iwEp "2001:db8::1"
  :local iwPort 51820
  :local iwAddr "10.0.0.7/24"
  :local iwBad ""
  :put ("iwas-wg: version " . [:tostr [/system resource get version]])
  :do {
    :local iwDay [:tostr [/system clock get date]]
    :put ("iwas-wg: clock " . $iwDay . " " . [:tostr [/system clock get time]])
    :if ($iwDay ~ "1970") do={ :set iwBad "$iwBad; the clock is in 1970" }
  } on-error={ :put "iwas-wg: clock cannot be read" }
  :do {
    :local iwNtp "off"
    :if ([/system ntp client get enabled]) do={ :set iwNtp ("on, " . [:tostr [/system ntp client get status]]) }
    :put "iwas-wg: ntp $iwNtp"
    :if ($iwNtp = "off") do={ :put "iwas-wg: WARNING the NTP client is off; after a power cut the hub may refuse this router's handshakes" }
  } on-error={ :put "iwas-wg: ntp cannot be read" }
  :local iwIds [/interface wireguard find where comment=$iwTag]
  :if ([:len $iwIds] = 0) do={ :set iwBad "$iwBad; no interface with the comment $iwTag" }
  :foreach iwI in=$iwIds do={
    :local iwNow ("" . [/interface wireguard get $iwI name])
    :local iwOwn ("" . [/interface wireguard get $iwI public-key])
    :put ("iwas-wg: interface $iwNow, port " . [:tostr [/interface wireguard get $iwI listen-port]] . ", MTU " . [:tostr [/interface wireguard get $iwI mtu]])
    :put "iwas-wg: public key $iwOwn"
    :if ([/interface wireguard get $iwI disabled]) do={ :set iwBad "$iwBad; interface $iwNow is disabled" }
    :if ($iwOwn != $iwMine) do={ :set iwBad "$iwBad; the hub knows another public key of this router" }
  }
  :local iwPids [/interface wireguard peers find where comment=$iwTag]
  :if ([:len $iwPids] = 0) do={ :set iwBad "$iwBad; no peer with the comment $iwTag" }
  :foreach iwI in=$iwPids do={
    :local iwTo ("" . [/interface wireguard peers get $iwI endpoint-address])
    :local iwToPort ("" . [/interface wireguard peers get $iwI endpoint-port])
    :put "iwas-wg: endpoint $iwTo port $iwToPort"
    :do { :put ("iwas-wg: endpoint in use " . ("" . [/interface wireguard peers get $iwI current-endpoint-address])) } on-error={ }
    :if (($iwTo != $iwEp) or ($iwToPort != ("" . $iwPort))) do={ :set iwBad "$iwBad; the endpoint is not $iwEp port $iwPort" }
    :if (("" . [/interface wireguard peers get $iwI public-key]) != $iwPub) do={ :set iwBad "$iwBad; the hub has another public key" }
    :if ([/interface wireguard peers get $iwI disabled]) do={ :set iwBad "$iwBad; the peer is disabled" }
    :put ("iwas-wg: keepalive " . [:tostr [/interface wireguard peers get $iwI persistent-keepalive]])
    :local iwAge [/interface wireguard peers get $iwI last-handshake]
    :if ([:typeof $iwAge] = "time") do={
      :put ("iwas-wg: last handshake " . [:tostr $iwAge] . " ago")
      :if ($iwAge > 3m) do={ :set iwBad "$iwBad; NO HANDSHAKE for more than 3 minutes" }
    } else={
      :put "iwas-wg: last handshake never"
      :set iwBad "$iwBad; NO HANDSHAKE"
    }
  }
  :local iwAids [/ip address find where comment=$iwTag]
  :if ([:len $iwAids] = 0) do={ :set iwBad "$iwBad; no address with the comment $iwTag" }
  :foreach iwI in=$iwAids do={
    :local iwHas ("" . [/ip address get $iwI address])
    :put "iwas-wg: address $iwHas"
    :if ($iwHas != $iwAddr) do={ :set iwBad "$iwBad; the address is not $iwAddr" }
    :if ([/ip address get $iwI disabled]) do={ :set iwBad "$iwBad; the address is disabled" }
  }
  # Only rules before the first one that drops let the hub in.
  :local iwRow 0
  :local iwDropAt 0
  :local iwRuleAt 0
  :local iwLate false
  :foreach iwI in=[/ip firewall filter find where chain="input" and dynamic=no] do={
    :set iwRow ($iwRow + 1)
    :local iwAct ("" . [/ip firewall filter get $iwI action])
    :if (("" . [/ip firewall filter get $iwI comment]) = $iwTag) do={
      :set iwRuleAt $iwRow
      :if ($iwDropAt > 0) do={ :set iwLate true }
      :if ([/ip firewall filter get $iwI disabled]) do={ :set iwBad "$iwBad; a management rule is disabled" }
    }
    :if (($iwDropAt = 0) and (($iwAct = "drop") or ($iwAct = "reject") or ($iwAct = "tarpit"))) do={ :set iwDropAt $iwRow }
  }
  :put "iwas-wg: firewall input: our last rule is number $iwRuleAt of $iwRow, the first that drops is number $iwDropAt (0: none)"
  :if ($iwLate) do={ :set iwBad "$iwBad; a management rule stands after the first one that drops" }
  :if ($iwRuleAt = 0) do={ :set iwBad "$iwBad; no management rule with the comment $iwTag" }
  :foreach iwS in=[:toarray "ssh,winbox,api,api-ssl"] do={
    :do {
      :local iwSvc [:tostr $iwS]
      :local iwSid [:pick [/ip service find where name=$iwSvc] 0]
      :local iwState "on"
      :if ([/ip service get $iwSid disabled]) do={ :set iwState "DISABLED" }
      :put ("iwas-wg: service $iwS $iwState, port " . [:tostr [/ip service get $iwSid port]] . ", accepts from " . [:tostr [/ip service get $iwSid address]] . " (empty: everywhere)")
    } on-error={ :put "iwas-wg: service $iwS cannot be read" }
  }
  :if ($iwBad = "") do={ :put "iwas-wg: OK, as the hub wants it and in contact" } else={ :put ("iwas-wg: NOT OK: " . [:pick $iwBad 2 [:len $iwBad]]) }
}
