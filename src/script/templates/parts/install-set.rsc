#- Second part of the block that install-look.rsc opens: what is not as wanted is changed.
#- A property that was never set may be nil, and a comparison with nil is neither true nor false: no
#- branch runs. So text is read as ("" . [... get ...]), which is text in any case, and what is no
#- text is used only after :typeof has said what it is.
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
  :if (("" . [/interface wireguard get $iwId name]) != $iwIf) do={
    /interface wireguard set $iwId name=$iwIf
    :put "iwas-wg: interface $iwNow renamed to $iwIf"
    :set iwDid true
  }
#if listen_port
  :if ([:tonum [/interface wireguard get $iwId listen-port]] != {{listen_port}}) do={
    /interface wireguard set $iwId listen-port={{listen_port}}
    :put "iwas-wg: listen port set"
    :set iwDid true
  }
#end
  :if ([:tonum [/interface wireguard get $iwId mtu]] != {{mtu}}) do={
    /interface wireguard set $iwId mtu={{mtu}}
    :put "iwas-wg: MTU set"
    :set iwDid true
  }
  :if ([/interface wireguard get $iwId disabled]) do={
    /interface wireguard set $iwId disabled=no
    :put "iwas-wg: interface enabled"
    :set iwDid true
  }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
#if private_key
    # What is the new session's is set before the peer that uses it is there.
    :if (("" . [/interface wireguard get $iwId public-key]) != $iwMine) do={ /interface wireguard set $iwId private-key=$iwKey }
#end
    # All in one statement: a peer without endpoint and keepalive would never call.
#if psk
    /interface wireguard peers add interface=$iwIf public-key=$iwPub preshared-key=$iwPsk allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive={{keepalive}} comment=$iwTag
#else
    /interface wireguard peers add interface=$iwIf public-key=$iwPub allowed-address=$iwAllow \
      endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive={{keepalive}} comment=$iwTag
#end
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
  :if ($iwKeep != {{keepalive}}) do={
    /interface wireguard peers set $iwPeer persistent-keepalive={{keepalive}}
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
  :local iwWant {{routes_marked}}
  :foreach iwI in=[/ip route find where comment=$iwTag] do={
    :local iwDst ("" . [/ip route get $iwI dst-address])
    :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
      /ip route remove $iwI
      :put "iwas-wg: route to $iwDst removed"
      :set iwDid true
    }
  }
#if routes
  :foreach iwR in=[:toarray {{routes}}] do={
    :local iwDst [:tostr $iwR]
    :local iwThere false
    :foreach iwI in=[/ip route find where comment=$iwTag] do={
      :if (("" . [/ip route get $iwI dst-address]) = $iwDst) do={ :set iwThere true }
    }
    :if (!$iwThere) do={
      /ip route add dst-address=$iwDst gateway=$iwIf comment=$iwTag
      :put "iwas-wg: route to $iwDst added"
      :set iwDid true
    }
  }
#end
  :do {
    :local iwWant {{routes6_marked}}
    :foreach iwI in=[/ipv6 route find where comment=$iwTag] do={
      :local iwDst ("" . [/ipv6 route get $iwI dst-address])
      :if ([:typeof [:find $iwWant ",$iwDst,"]] = "nil") do={
        /ipv6 route remove $iwI
        :put "iwas-wg: route to $iwDst removed"
        :set iwDid true
      }
    }
#if routes6
    :foreach iwR in=[:toarray {{routes6}}] do={
      :local iwDst [:tostr $iwR]
      :local iwThere false
      :foreach iwI in=[/ipv6 route find where comment=$iwTag] do={
        :if (("" . [/ipv6 route get $iwI dst-address]) = $iwDst) do={ :set iwThere true }
      }
      :if (!$iwThere) do={
        /ipv6 route add dst-address=$iwDst gateway=$iwIf comment=$iwTag
        :put "iwas-wg: route to $iwDst added"
        :set iwDid true
      }
    }
#end
  } on-error={ :put "iwas-wg: WARNING could not set the IPv6 routes" }
