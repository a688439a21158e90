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
  # Warnings, each after "; ".
  :local iwBad ""
  :local iwFault ""
  # 1. Look before touching anything: what is in the way and is not ours stops the script here.
  :local iwOld $iwTag
  :local iwBare false
  :foreach iwI in=[/interface find where name=$iwIf] do={
    :local iwHas ("" . [/interface get $iwI comment])
    :if ($iwHas != $iwTag) do={
#if known_key
      # The same key under another tag is this very router, renamed on the hub; with no comment at
      # all it is the work of an older script without tags. Both are taken over.
      :foreach iwJ in=[/interface wireguard find where name=$iwIf] do={
        :if (("" . [/interface wireguard get $iwJ public-key]) = $iwMine) do={
          :if ($iwHas ~ "^iwas-wg:") do={ :set iwOld $iwHas }
          :if ($iwHas = "") do={ :set iwBare true }
        }
      }
#end
      :if (($iwOld = $iwTag) and (!$iwBare)) do={ :error "iwas-wg: interface $iwIf exists and is not ours (comment: $iwHas); rename or remove it first. Nothing was changed" }
    }
  }
  :if ([:len [/interface wireguard find where comment=$iwTag]] > 1) do={ :error "iwas-wg: several WireGuard interfaces carry the comment $iwTag; keep one. Nothing was changed" }
  :local iwNow $iwIf
  :foreach iwI in=[/interface wireguard find where comment=$iwTag] do={ :set iwNow ("" . [/interface wireguard get $iwI name]) }
#if keep_key
  :if (([:len [/interface wireguard find where comment=$iwTag]] = 0) and ($iwOld = $iwTag) and (!$iwBare)) do={ :error "iwas-wg: the hub does not keep the private key; make a new one there: iwas-wg peer rotate. Nothing was changed" }
#end
#if listen_port
  :foreach iwI in=[/interface wireguard find where listen-port={{listen_port}}] do={
    :local iwName ("" . [/interface wireguard get $iwI name])
    :if ($iwName != $iwNow) do={ :error "iwas-wg: WireGuard interface $iwName has our UDP port; set listen_port = 0 on the hub and render again. Nothing was changed" }
  }
#end
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
        :local iwMask ((255.255.255.255 << (32 - [:tonum [:pick $iwHas ($iwCut + 1) [:len $iwHas]]])) & {{netmask}})
        :if (([:toip [:pick $iwHas 0 $iwCut]] & $iwMask) = ({{network_ip}} & $iwMask)) do={ :set iwClash $iwHas }
      }
    }
  } on-error={ :put "iwas-wg: WARNING could not compare this router's addresses with the VPN network" }
  :if ($iwClash != "") do={ :error "iwas-wg: address $iwClash of this router overlaps the VPN network; use another network there or on the hub. Nothing was changed" }
#if routes
  :foreach iwR in=[:toarray {{routes}}] do={
    :local iwDst [:tostr $iwR]
    :foreach iwI in=[/ip route find where dst-address=$iwDst and dynamic=no] do={
      :local iwHas ("" . [/ip route get $iwI comment])
      :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: there is a route to $iwDst that is not ours; remove it first. Nothing was changed" }
    }
  }
#end
#if routes6
  :foreach iwR in=[:toarray {{routes6}}] do={
    :local iwDst [:tostr $iwR]
    :foreach iwI in=[/ipv6 route find where dst-address=$iwDst and dynamic=no] do={
      :local iwHas ("" . [/ipv6 route get $iwI comment])
      :if (($iwHas != $iwTag) and ($iwHas != $iwOld)) do={ :error "iwas-wg: there is a route to $iwDst that is not ours; remove it first. Nothing was changed" }
    }
  }
#end
