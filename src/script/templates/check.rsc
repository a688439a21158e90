{
  :local iwTag {{tag}}
  :local iwIf {{interface}}
#if known_key
  :local iwMine {{public_key}}
#end
  :local iwPub {{hub_public_key}}
  :local iwEp {{endpoint}}
  :local iwPort {{endpoint_port}}
  :local iwAddr {{address}}
  :local iwHub {{hub}}
  :local iwBad ""
  :put ("iwas-wg: version " . [/system resource get version])
#include warn-clock
  :local iwIds [/interface wireguard find where comment=$iwTag]
  :if ([:len $iwIds] = 0) do={ :set iwBad "$iwBad; no interface with the comment $iwTag" }
  :foreach iwI in=$iwIds do={
    :set iwIf ("" . [/interface wireguard get $iwI name])
    :local iwOwn ("" . [/interface wireguard get $iwI public-key])
    :put ("iwas-wg: interface $iwIf, port " . [/interface wireguard get $iwI listen-port] . ", MTU " . [/interface wireguard get $iwI mtu])
    :put "iwas-wg: public key $iwOwn"
    :if ([/interface wireguard get $iwI disabled]) do={ :set iwBad "$iwBad; interface $iwIf is disabled" }
#if known_key
    :if ($iwOwn != $iwMine) do={ :set iwBad "$iwBad; the hub knows another public key of this router" }
#end
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
#if host_name
    :if (($iwTo = $iwEp) and ($iwUsed != "") and ($iwNameIs != "") and ($iwUsed != $iwNameIs)) do={
      :set iwBad "$iwBad; $iwEp is $iwNameIs now, but the peer still uses $iwUsed"
    }
#end
    :if (("" . [/interface wireguard peers get $iwI public-key]) != $iwPub) do={ :set iwBad "$iwBad; the hub has another public key" }
    :if ([/interface wireguard peers get $iwI disabled]) do={ :set iwBad "$iwBad; the peer is disabled" }
    :put ("iwas-wg: keepalive " . [/interface wireguard peers get $iwI persistent-keepalive])
#if !keepalive
    # Nothing is sent by itself: an echo to the hub makes the router call it.
    :do { :execute {{call_hub}} } on-error={ }
    :delay 2s
#end
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
#include firewall-look
  :put ("iwas-wg: firewall: rules of ours in chain input " . [:len $iwOurs] . " ($iwGood good), in raw " . [:len $iwRawOurs] . " ($iwRawGood good)")
#if management
  :if ($iwNeed and ($iwGood != {{management_rules}})) do={ :set iwBad "$iwBad; the management rules are not as wanted before the first static rule of chain input" }
  :if ($iwRawNeed and ($iwRawGood != 1)) do={ :set iwBad "$iwBad; a raw rule may drop the hub and no rule of ours is before it" }
#end
  :local iwFault $iwBad
  :local iwWhy "none for more than 3 minutes: check outbound UDP to $iwEp port $iwPort, the clock and the hub$iwFault"
#include warn-access
#include verdict
