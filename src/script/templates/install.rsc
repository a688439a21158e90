#- Rules of this file: every variable begins with "iw" (one named like a property would make
#- "find where" match every row), placeholders stand outside of quotes (they bring their own), and
#- only parameters that RouterOS 7.1 has. What is as wanted is not set again: live sessions survive.
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag {{tag}}
  :local iwIf {{interface}}
#if private_key
  :local iwKey {{private_key}}
#end
#if known_key
  :local iwMine {{public_key}}
#end
  :local iwPub {{hub_public_key}}
#if psk
  :local iwPsk {{preshared_key}}
#end
  :local iwEp {{endpoint}}
  :local iwPort {{endpoint_port}}
  :local iwAllow {{allowed_address}}
  :local iwAllowList {{allowed_list}}
  :local iwAddr {{address}}
  :local iwNet {{address_network}}
  :local iwHub {{hub}}
  # 1. Look before touching anything: what is in the way and is not ours stops the script here.
  :local iwOld $iwTag
  :foreach iwI in=[/interface find where name=$iwIf] do={
    :local iwHas [:tostr [/interface get $iwI comment]]
    :if ($iwHas != $iwTag) do={
#if known_key
      :if ($iwHas ~ "^iwas-wg:") do={
        # The same key under another tag: this very router, renamed on the hub.
        :foreach iwJ in=[/interface wireguard find where name=$iwIf] do={
          :if ([:tostr [/interface wireguard get $iwJ public-key]] = $iwMine) do={ :set iwOld $iwHas }
        }
      }
#end
      :if ($iwOld = $iwTag) do={ :error "iwas-wg: interface $iwIf exists and is not ours (comment: $iwHas); rename or remove it first. Nothing was changed" }
    }
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several WireGuard interfaces carry the comment $iwTag; keep one. Nothing was changed" }
  :local iwNow $iwIf
  :foreach iwI in=[/interface wireguard find where comment=$iwTag] do={ :set iwNow [:tostr [/interface wireguard get $iwI name]] }
#if keep_key
  :if (([:len [/interface wireguard find where comment=$iwTag]] = 0) and ($iwOld = $iwTag)) do={ :error "iwas-wg: the hub does not keep the private key of this location; make a new one there with: iwas-wg peer rotate. Nothing was changed" }
#end
#if listen_port
  :foreach iwI in=[/interface wireguard find where listen-port={{listen_port}}] do={
    :local iwHas [:tostr [/interface wireguard get $iwI comment]]
    :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: another WireGuard interface has our UDP port; set listen_port = 0 on the hub and render again. Nothing was changed" }
  }
#end
  :foreach iwI in=[/interface wireguard peers find where interface=$iwNow] do={
    :local iwHas [:tostr [/interface wireguard peers get $iwI comment]]
    :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: interface $iwNow has a peer that is not ours (comment: $iwHas); remove it first. Nothing was changed" }
  }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several peers carry the comment $iwTag; keep one. Nothing was changed" }
  :foreach iwI in=[/ip address find where address=$iwAddr] do={
    :local iwHas [:tostr [/ip address get $iwI comment]]
    :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: address $iwAddr is in use on another interface; remove it there first. Nothing was changed" }
  }
  :if ([:len [/ip address find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several addresses carry the comment $iwTag; keep one. Nothing was changed" }
  # A network of this router that overlaps the VPN's would lose its traffic to the tunnel.
  :local iwClash ""
  :do {
    :foreach iwI in=[/ip address find where disabled=no] do={
      :local iwHas [:tostr [/ip address get $iwI comment]]
      :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={
        :set iwHas [:tostr [/ip address get $iwI address]]
        :local iwCut [:find $iwHas "/"]
        :local iwMask ((255.255.255.255 << (32 - [:tonum [:pick $iwHas ($iwCut + 1) [:len $iwHas]]])) & {{netmask}})
        :if (([:toip [:pick $iwHas 0 $iwCut]] & $iwMask) = ({{network_ip}} & $iwMask)) do={ :set iwClash $iwHas }
      }
    }
  } on-error={ :put "iwas-wg: WARNING could not compare this router's addresses with the VPN network" }
  :if ($iwClash != "") do={ :error "iwas-wg: address $iwClash of this router overlaps the VPN network; use another network there or on the hub. Nothing was changed" }
#if routes
  :foreach iwR in=[:toarray {{routes}}] do={
    :foreach iwI in=[/ip route find where dst-address=[:tostr $iwR] and dynamic=no] do={
      :local iwHas [:tostr [/ip route get $iwI comment]]
      :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: there is a route to $iwR that is not ours; remove it first. Nothing was changed" }
    }
  }
#end
#if routes6
  :foreach iwR in=[:toarray {{routes6}}] do={
    :foreach iwI in=[/ipv6 route find where dst-address=[:tostr $iwR] and dynamic=no] do={
      :local iwHas [:tostr [/ipv6 route get $iwI comment]]
      :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: there is a route to $iwR that is not ours; remove it first. Nothing was changed" }
    }
  }
#end
  # 2. From here on things change. A second run finds them as wanted and changes nothing.
  :local iwDid false
  :local iwFresh false
  :local iwNew false
  :if ($iwOld != $iwTag) do={
    :put "iwas-wg: taking over what was made for $iwOld, this router under its former name"
    /interface wireguard set [find where comment=$iwOld] comment=$iwTag
    /interface wireguard peers set [find where comment=$iwOld] comment=$iwTag
    /ip address set [find where comment=$iwOld] comment=$iwTag
    /ip firewall filter set [find where comment=$iwOld] comment=$iwTag
    /ip route set [find where comment=$iwOld] comment=$iwTag
    :do { /ipv6 route set [find where comment=$iwOld] comment=$iwTag } on-error={ }
    /tool netwatch set [find where comment=$iwOld] comment=$iwTag
    :set iwDid true
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] = 0) do={
#if private_key
    /interface wireguard add name=$iwIf private-key=$iwKey mtu={{mtu}} comment=$iwTag
#else
    # Without a key given, the router makes its own.
    /interface wireguard add name=$iwIf mtu={{mtu}} comment=$iwTag
#end
    :put "iwas-wg: interface $iwIf added"
    :set iwDid true
  }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :if ([:tostr [/interface wireguard get $iwId name]] != $iwIf) do={
    /interface wireguard set $iwId name=$iwIf
    :put "iwas-wg: interface $iwNow renamed to $iwIf"
    :set iwDid true
  }
#if private_key
  :if ([:tostr [/interface wireguard get $iwId public-key]] != $iwMine) do={
    /interface wireguard set $iwId private-key=$iwKey
    :put "iwas-wg: private key set"
    :set iwDid true
    :set iwFresh true
  }
#end
#if listen_port
  :if ([/interface wireguard get $iwId listen-port] != {{listen_port}}) do={
    /interface wireguard set $iwId listen-port={{listen_port}}
    :put "iwas-wg: listen port set"
    :set iwDid true
  }
#end
  :if ([/interface wireguard get $iwId mtu] != {{mtu}}) do={
    /interface wireguard set $iwId mtu={{mtu}}
    :put "iwas-wg: MTU set"
    :set iwDid true
  }
  :if ([/interface wireguard get $iwId disabled]) do={
    /interface wireguard set $iwId disabled=no
    :put "iwas-wg: interface enabled"
    :set iwDid true
  }
#if !psk
  # A preshared key cannot be unset by every version: the peer is made anew without.
  :foreach iwI in=[/interface wireguard peers find where comment=$iwTag] do={
    :if ([:len [:tostr [/interface wireguard peers get $iwI preshared-key]]] > 0) do={ /interface wireguard peers remove $iwI }
  }
#end
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
#if psk
    /interface wireguard peers add interface=$iwIf public-key=$iwPub preshared-key=$iwPsk allowed-address=$iwAllow comment=$iwTag
#else
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow comment=$iwTag
#end
    :put "iwas-wg: peer added"
    :set iwDid true
    :set iwNew true
  }
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :if ([:tostr [/interface wireguard peers get $iwPeer interface]] != $iwIf) do={
    /interface wireguard peers set $iwPeer interface=$iwIf
    :set iwDid true
  }
  :if ([:tostr [/interface wireguard peers get $iwPeer public-key]] != $iwPub) do={
    /interface wireguard peers set $iwPeer public-key=$iwPub
    :put "iwas-wg: public key of the hub set"
    :set iwDid true
    :set iwFresh true
  }
#if psk
  :if ([:tostr [/interface wireguard peers get $iwPeer preshared-key]] != $iwPsk) do={
    /interface wireguard peers set $iwPeer preshared-key=$iwPsk
    :put "iwas-wg: preshared key set"
    :set iwDid true
    :set iwFresh true
  }
#end
  # A list reads back joined with semicolons.
  :local iwHave [:tostr [/interface wireguard peers get $iwPeer allowed-address]]
  :if (($iwHave != $iwAllow) and ($iwHave != $iwAllowList)) do={
    /interface wireguard peers set $iwPeer allowed-address=$iwAllow
    :put "iwas-wg: allowed addresses set to $iwAllow"
    :set iwDid true
  }
  :if ([:tostr [/interface wireguard peers get $iwPeer endpoint-address]] != $iwEp) do={
    /interface wireguard peers set $iwPeer endpoint-address=$iwEp
    :put "iwas-wg: endpoint set to $iwEp"
    :set iwDid true
    :set iwFresh true
  }
  :if ([/interface wireguard peers get $iwPeer endpoint-port] != $iwPort) do={
    /interface wireguard peers set $iwPeer endpoint-port=$iwPort
    :put "iwas-wg: endpoint port set"
    :set iwDid true
    :set iwFresh true
  }
  :local iwKeep [/interface wireguard peers get $iwPeer persistent-keepalive]
#if keepalive
  :if ($iwKeep != {{keepalive}}) do={
    /interface wireguard peers set $iwPeer persistent-keepalive={{keepalive}}
    :put "iwas-wg: keepalive set"
    :set iwDid true
  }
#else
  :if ([:typeof $iwKeep] = "time") do={
    :if ($iwKeep > 0s) do={
      /interface wireguard peers set $iwPeer persistent-keepalive=0s
      :put "iwas-wg: keepalive turned off"
      :set iwDid true
    }
  }
#end
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
  :if ([:tostr [/ip address get $iwAid address]] != $iwAddr) do={
    /ip address set $iwAid address=$iwAddr network=$iwNet
    :put "iwas-wg: address set to $iwAddr"
    :set iwDid true
  }
  :if ([:tostr [/ip address get $iwAid network]] != $iwNet) do={
    /ip address set $iwAid network=$iwNet
    :set iwDid true
  }
  :if ([:tostr [/ip address get $iwAid interface]] != $iwIf) do={
    /ip address set $iwAid interface=$iwIf
    :set iwDid true
  }
  :if ([/ip address get $iwAid disabled]) do={
    /ip address set $iwAid disabled=no
    :put "iwas-wg: address enabled"
    :set iwDid true
  }
  # Routes of ours that are no longer wanted go, the wanted ones come.
  :local iwWant {{routes_marked}}
  :foreach iwI in=[/ip route find where comment=$iwTag] do={
    :local iwDst [:tostr [/ip route get $iwI dst-address]]
    :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
      /ip route remove $iwI
      :put "iwas-wg: route to $iwDst removed"
      :set iwDid true
    }
  }
#if routes
  :foreach iwR in=[:toarray {{routes}}] do={
    :local iwDst [:tostr $iwR]
    :if ([:len [/ip route find where comment=$iwTag and dst-address=$iwDst]] = 0) do={
      /ip route add dst-address=$iwDst gateway=$iwIf comment=$iwTag
      :put "iwas-wg: route to $iwDst added"
      :set iwDid true
    }
  }
#end
  :do {
    :local iwWant {{routes6_marked}}
    :foreach iwI in=[/ipv6 route find where comment=$iwTag] do={
      :local iwDst [:tostr [/ipv6 route get $iwI dst-address]]
      :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
        /ipv6 route remove $iwI
        :put "iwas-wg: route to $iwDst removed"
        :set iwDid true
      }
    }
#if routes6
    :foreach iwR in=[:toarray {{routes6}}] do={
      :local iwDst [:tostr $iwR]
      :if ([:len [/ipv6 route find where comment=$iwTag and dst-address=$iwDst]] = 0) do={
        /ipv6 route add dst-address=$iwDst gateway=$iwIf comment=$iwTag
        :put "iwas-wg: route to $iwDst added"
        :set iwDid true
      }
    }
#end
  } on-error={ :put "iwas-wg: WARNING could not set the IPv6 routes" }
#if management
  # The hub may manage this router: accepted before the first static rule of chain input that drops.
  :local iwGood 0
  :local iwShut false
  :foreach iwI in=[/ip firewall filter find where chain="input" and dynamic=no] do={
    :local iwAct [:tostr [/ip firewall filter get $iwI action]]
    :if ([:tostr [/ip firewall filter get $iwI comment]] = $iwTag) do={
      :local iwIs ($iwAct . " " . [:tostr [/ip firewall filter get $iwI in-interface]] . " " . [:tostr [/ip firewall filter get $iwI src-address]])
      :set iwIs ($iwIs . " " . [:tostr [/ip firewall filter get $iwI protocol]] . " " . [:tostr [/ip firewall filter get $iwI dst-port]])
      :if ([/ip firewall filter get $iwI disabled]) do={ :set iwIs "" }
      :if ($iwShut) do={ :set iwIs "" }
#if management_icmp
      :if ($iwIs = "accept $iwIf $iwHub icmp ") do={ :set iwGood ($iwGood + 1) }
#end
#if management_tcp
      :if ($iwIs = ("accept $iwIf $iwHub tcp " . {{management_ports}})) do={ :set iwGood ($iwGood + 1) }
#end
    }
    :if (($iwAct = "drop") or ($iwAct = "reject") or ($iwAct = "tarpit")) do={ :set iwShut true }
  }
  :if (($iwGood != {{management_rules}}) or ([:len [/ip firewall filter find where comment=$iwTag]] != {{management_rules}})) do={
    /ip firewall filter remove [find where comment=$iwTag]
    :local iwDrop [/ip firewall filter find where chain="input" and dynamic=no and (action="drop" or action="reject" or action="tarpit")]
    :if ([:len $iwDrop] = 0) do={
#if management_icmp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag
#end
#if management_tcp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port={{management_ports}} comment=$iwTag
#end
    } else={
      :set iwDrop [:pick $iwDrop 0]
#if management_icmp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=icmp comment=$iwTag place-before=$iwDrop
#end
#if management_tcp
      /ip firewall filter add chain=input action=accept in-interface=$iwIf src-address=$iwHub protocol=tcp dst-port={{management_ports}} comment=$iwTag place-before=$iwDrop
#end
    }
    :put "iwas-wg: management from the hub accepted on $iwIf"
    :set iwDid true
  }
#else
  # The firewall is left alone; only rules of ours from an earlier run go.
  :if ([:len [/ip firewall filter find where comment=$iwTag]] > 0) do={
    /ip firewall filter remove [find where comment=$iwTag]
    :put "iwas-wg: management rules removed"
    :set iwDid true
  }
#end
#if watchdog
  :local iwDog {{watchdog}}
  :if ([:len [/tool netwatch find where comment=$iwTag]] = 0) do={
    /tool netwatch add host={{hub_ip}} interval=1m timeout=3s down-script=$iwDog comment=$iwTag
    :put "iwas-wg: watchdog added"
    :set iwDid true
  }
  :local iwWid [:pick [/tool netwatch find where comment=$iwTag] 0]
  :if (([:tostr [/tool netwatch get $iwWid down-script]] != $iwDog) or ([:tostr [/tool netwatch get $iwWid host]] != $iwHub)) do={
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
  # 3. What would keep the tunnel or the management from working. None of it is fatal or changed.
  :do {
    :if ([:tostr [/system clock get date]] ~ "1970") do={ :put "iwas-wg: WARNING the clock is in 1970; the hub may refuse handshakes until NTP has set it" }
  } on-error={ }
  :do {
    :if (![/system ntp client get enabled]) do={ :put "iwas-wg: WARNING the NTP client is off; after a power cut the hub may refuse this router's handshakes" }
  } on-error={ }
#if host_name
  :do { :local iwIp [:resolve $iwEp] } on-error={ :put "iwas-wg: WARNING this router cannot resolve $iwEp; check /ip dns" }
#end
#if management_tcp
  :foreach iwS in=[:toarray {{management_services}}] do={
    :do {
      :local iwSid [:pick [/ip service find where name=[:tostr $iwS]] 0]
      :if ([/ip service get $iwSid disabled]) do={
        :put "iwas-wg: WARNING service $iwS is disabled; the hub cannot use it"
      } else={
        :local iwFrom [:tostr [/ip service get $iwSid address]]
        :if ([:len $iwFrom] > 0) do={ :put "iwas-wg: WARNING service $iwS accepts only $iwFrom; see that the hub ($iwHub) is among them" }
      }
    } on-error={ }
  }
#end
#if known_key
  # 4. Wait a bounded time for the hub's answer.
  :local iwSay "iwas-wg: configured, but NO HANDSHAKE after 40s - check outbound UDP to $iwEp port $iwPort, the clock and the hub"
  :local iwWait true
#if !private_key
  :local iwOwn [:tostr [/interface wireguard get $iwId public-key]]
  :if ($iwOwn != $iwMine) do={
    :set iwWait false
    :set iwSay ("iwas-wg: configured, but NO HANDSHAKE: the hub knows another key; run there: iwas-wg peer provision " . {{name}} . " --public-key $iwOwn")
  }
#end
#if !keepalive
  # Nothing else would be sent now: a question to the hub makes the router call it.
  :do { :local iwIp [:resolve "iwas-wg.invalid" server={{hub_ip}}] } on-error={ }
#end
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
#else
  # 4. The hub learns this router's key by hand; the private key never leaves the router.
  :local iwOwn [:tostr [/interface wireguard get $iwId public-key]]
  :put "iwas-wg: public key of this router: $iwOwn"
  :local iwSay ("iwas-wg: configured, but NO HANDSHAKE yet: run on the hub: iwas-wg peer provision " . {{name}} . " --public-key $iwOwn")
#end
  :log info $iwSay
  :put $iwSay
}
