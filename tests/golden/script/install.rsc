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
#       The last line it prints says how it went: "iwas-wg: OK", or what is wrong.
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
  :if (("" . [/interface wireguard get $iwId public-key]) != $iwMine) do={
    /interface wireguard set $iwId private-key=$iwKey
    :put "iwas-wg: private key set"
    :set iwDid true
    :set iwFresh true
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
  # A preshared key cannot be unset by every version: the peer is made anew without.
  :foreach iwI in=[/interface wireguard peers find where comment=$iwTag] do={
    :if ([:len ("" . [/interface wireguard peers get $iwI preshared-key])] = 44) do={ /interface wireguard peers remove $iwI }
  }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
    # All in one statement: a peer without endpoint and keepalive would never call.
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=25s comment=$iwTag
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
  # The hub may manage this router: accepted before the first static rule of chain input that drops.
  :local iwGood 0
  :local iwShut false
  :foreach iwI in=[/ip firewall filter find where chain="input" and dynamic=no] do={
    :local iwAct ("" . [/ip firewall filter get $iwI action])
    :if (("" . [/ip firewall filter get $iwI comment]) = $iwTag) do={
      :local iwIs ($iwAct . " " . ("" . [/ip firewall filter get $iwI in-interface]) . " " . ("" . [/ip firewall filter get $iwI src-address]))
      :set iwIs ($iwIs . " " . ("" . [/ip firewall filter get $iwI protocol]) . " " . ("" . [/ip firewall filter get $iwI dst-port]))
      :if ([/ip firewall filter get $iwI disabled]) do={ :set iwIs "" }
      :if ($iwShut) do={ :set iwIs "" }
      :if ($iwIs = "accept $iwIf $iwHub icmp ") do={ :set iwGood ($iwGood + 1) }
      :local iwPass "accept $iwIf $iwHub tcp "
      :if (($iwIs = ($iwPass . "22,8291,8728,8729")) or ($iwIs = ($iwPass . "22;8291;8728;8729"))) do={ :set iwGood ($iwGood + 1) }
    }
    :if (($iwAct = "drop") or ($iwAct = "reject") or ($iwAct = "tarpit")) do={ :set iwShut true }
  }
  :if (($iwGood != 2) or ([:len [/ip firewall filter find where comment=$iwTag]] != 2)) do={
    /ip firewall filter remove [find where comment=$iwTag]
    :local iwDrop [/ip firewall filter find where chain="input" and dynamic=no and (action="drop" or action="reject" or action="tarpit")]
    :if ([:len $iwDrop] = 0) do={
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port="22,8291,8728,8729" comment=$iwTag
    } else={
      :set iwDrop [:pick $iwDrop 0]
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag place-before=$iwDrop
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port="22,8291,8728,8729" comment=$iwTag place-before=$iwDrop
    }
    :put "iwas-wg: management from the hub accepted on $iwIf"
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
  :do { :local iwIp [:resolve $iwEp] } on-error={ :put "iwas-wg: WARNING this router cannot resolve $iwEp; check /ip dns" }
  :foreach iwS in=[:toarray "ssh,winbox,api,api-ssl"] do={
    :do {
      :local iwSvc [:tostr $iwS]
      :local iwSid [:pick [/ip service find where name=$iwSvc] 0]
      :if ([/ip service get $iwSid disabled]) do={
        :put "iwas-wg: WARNING service $iwS is disabled; the hub cannot use it"
      } else={
        :local iwFrom ("" . [:tostr [/ip service get $iwSid address]])
        :if ([:len $iwFrom] > 0) do={ :put "iwas-wg: WARNING service $iwS accepts only $iwFrom; see that the hub ($iwHub) is among them" }
      }
    } on-error={ }
  }
  # 4. Wait a bounded time for the hub's answer.
  :local iwSay "iwas-wg: configured, but NO HANDSHAKE after 40s - check outbound UDP to $iwEp port $iwPort, the clock and the hub"
  :local iwWait true
  :if ($iwNew) do={ :set iwFresh false }
  # After a change to the session an old handshake proves nothing: only a younger one counts.
  :local iwMax 3m
  :if ($iwFresh) do={
    /interface wireguard peers set $iwPeer disabled=yes
    :delay 1s
    /interface wireguard peers set $iwPeer disabled=no
    :set iwMax 1s
  }
  :local iwUp false
  :for iwN from=1 to=20 do={
    :if ($iwWait and (!$iwUp)) do={
      :if ($iwFresh) do={ :set iwMax ($iwMax + 2s) }
      :if ($iwFresh or ($iwN > 1)) do={ :delay 2s }
      :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
      :if ([:typeof $iwAge] = "time") do={
        :if ($iwAge < $iwMax) do={ :set iwUp true }
      }
    }
  }
  :if ($iwUp) do={
    :if ($iwDid) do={ :set iwSay "iwas-wg: OK, handshake with the hub" } else={ :set iwSay "iwas-wg: OK, nothing to change, handshake with the hub" }
  }
  :log info $iwSay
  :put $iwSay
}
