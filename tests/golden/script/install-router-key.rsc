# iwas-wg "0.1.0": "install" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# For RouterOS 7.1 and later.
# Every object it makes carries the comment "iwas-wg:cafe-central"; it touches no other.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK", or what is wrong.
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
  :local iwFresh false
  :local iwNew false
  :if ($iwOld != $iwTag) do={
    :put "iwas-wg: taking over what was made for $iwOld, this router under its former name"
    /interface wireguard set [find where comment=$iwOld] comment=$iwTag
    /interface wireguard set [find where comment="$iwOld next key"] comment="$iwTag next key"
    /interface wireguard peers set [find where comment=$iwOld] comment=$iwTag
    /ip address set [find where comment=$iwOld] comment=$iwTag
    /ip firewall filter set [find where comment=$iwOld] comment=$iwTag
    /ip route set [find where comment=$iwOld] comment=$iwTag
    :do { /ipv6 route set [find where comment=$iwOld] comment=$iwTag } on-error={ }
    /tool netwatch set [find where comment=$iwOld] comment=$iwTag
    :set iwDid true
  }
  :if ($iwBare) do={
    :put "iwas-wg: taking over $iwIf, made by an older script without tags"
    /interface wireguard set [find where name=$iwIf] comment=$iwTag
    /interface wireguard peers set [find where interface=$iwIf] comment=$iwTag
    /ip address set [find where interface=$iwIf] comment=$iwTag
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
  # A preshared key cannot be unset by every version: the peer is made anew without.
  :foreach iwI in=[/interface wireguard peers find where comment=$iwTag] do={
    :if ([:len ("" . [/interface wireguard peers get $iwI preshared-key])] = 44) do={ /interface wireguard peers remove $iwI }
  }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
    # All in one statement: a peer without endpoint and keepalive would never call.
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=0s comment=$iwTag
    :put "iwas-wg: peer added"
    :set iwDid true
    :set iwNew true
  }
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :if (("" . [/interface wireguard peers get $iwPeer interface]) != $iwIf) do={
    /interface wireguard peers set $iwPeer interface=$iwIf
    :set iwDid true
  }
  :if (("" . [/interface wireguard peers get $iwPeer public-key]) != $iwPub) do={
    /interface wireguard peers set $iwPeer public-key=$iwPub
    :put "iwas-wg: public key of the hub set"
    :set iwDid true
    :set iwFresh true
  }
  # A list reads back joined with semicolons.
  :local iwHave ("" . [:tostr [/interface wireguard peers get $iwPeer allowed-address]])
  :if (($iwHave != $iwAllow) and ($iwHave != $iwAllowList)) do={
    /interface wireguard peers set $iwPeer allowed-address=$iwAllow
    :put "iwas-wg: allowed addresses set to $iwAllow"
    :set iwDid true
  }
  :if (("" . [/interface wireguard peers get $iwPeer endpoint-address]) != $iwEp) do={
    /interface wireguard peers set $iwPeer endpoint-address=$iwEp
    :put "iwas-wg: endpoint set to $iwEp"
    :set iwDid true
    :set iwFresh true
  }
  :if (("" . [/interface wireguard peers get $iwPeer endpoint-port]) != ("" . $iwPort)) do={
    /interface wireguard peers set $iwPeer endpoint-port=$iwPort
    :put "iwas-wg: endpoint port set"
    :set iwDid true
    :set iwFresh true
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
  # The firewall is left alone; only rules of ours from an earlier run go.
  :if ([:len [/ip firewall filter find where comment=$iwTag]] > 0) do={
    /ip firewall filter remove [find where comment=$iwTag]
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
    :if ([:tostr [/system clock get date]] ~ "1970") do={ :put "iwas-wg: WARNING the clock is in 1970; the hub may refuse handshakes until NTP has set it" }
  } on-error={ }
  :do {
    :if (![/system ntp client get enabled]) do={ :put "iwas-wg: WARNING the NTP client is off; after a power cut the hub may refuse this router's handshakes" }
  } on-error={ }
  # 4. The hub learns this router's key by hand; the private key never leaves the router.
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :put "iwas-wg: public key of this router: $iwOwn"
  :local iwSay ("iwas-wg: configured, but NO HANDSHAKE yet: run on the hub: iwas-wg peer provision " . "cafe-central" . " --public-key $iwOwn")
  :log info $iwSay
  :put $iwSay
}
