#- The hub holds the old and the new key, the new one without allowed addresses, until it has seen a
#- handshake with it; then the address moves. So the new key completes a handshake here while the
#- tunnel carries nothing yet, and the handshake alone decides: without one the old key comes back.
#- Nothing is disabled at first: a power cut in the middle leaves a router that calls the hub with a
#- key the hub knows. Which handshake is a new one is told by its moment on the router's own uptime,
#- since neither the clock nor the age alone can be trusted.
#-
#- A router that makes its own key needs two scripts, since the hub has to learn the key in between:
#- the first makes it, on a disabled interface of its own, and prints the command for the hub; that
#- command prints the second, which moves the key over. Each may be run again.
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag {{tag}}
#if private_key
  :local iwKey {{private_key}}
#else
  :local iwKey ""
#end
#if known_key
  :local iwMine {{public_key}}
#else
  :local iwMine ""
#end
#if psk
  :local iwPsk {{preshared_key}}
#else
  :local iwPsk ""
#end
  # 1. Look before touching anything.
  :if ([:len [/interface wireguard find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no interface with the comment $iwTag; run the install script instead. Nothing was changed" }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no peer with the comment $iwTag; run the install script instead. Nothing was changed" }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :local iwOldKey [:tostr [/interface wireguard get $iwId private-key]]
  :local iwOldPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwOldPsk] != 44) do={ :set iwOldPsk "" }
  :local iwSay ""
  :local iwTurn true
  :if (($iwOwn = $iwMine) and ($iwOldPsk = $iwPsk)) do={ :set iwTurn false }
#if made_here
  # The router made its key itself, so it makes the next one too, beside the tunnel that runs.
  :local iwNext "$iwTag next key"
  :if ($iwOwn = $iwMine) do={ :set iwKey $iwOldKey }
  :foreach iwI in=[/interface wireguard find where comment=$iwNext] do={
    :local iwHas ("" . [/interface wireguard get $iwI public-key])
    :if ($iwHas = $iwMine) do={ :set iwKey [:tostr [/interface wireguard get $iwI private-key]] }
    # Left over from the last rotation.
    :if ($iwHas = $iwOwn) do={ /interface wireguard remove $iwI }
  }
#if next_known
  :if ($iwKey = "") do={ :error ("iwas-wg: this router does not have the key $iwMine; have its next one made: iwas-wg script render " . {{name}} . " --kind rotate. Nothing was changed") }
#else
  :if (($iwKey = "") or ($iwOwn = $iwMine)) do={
    :set iwTurn false
    :if ([:len [/interface wireguard find where comment=$iwNext]] = 0) do={ /interface wireguard add name={{next_interface}} disabled=yes comment=$iwNext }
    :local iwNew ("" . [/interface wireguard get [find where comment=$iwNext] public-key])
    :put "iwas-wg: next public key of this router: $iwNew"
    :set iwSay ("iwas-wg: OK so far, now run on the hub: iwas-wg peer rotate " . {{name}} . " --public-key $iwNew - and import here the script that it prints")
  }
#end
#end
  :if ((!$iwTurn) and ($iwSay = "")) do={
    :set iwSay "iwas-wg: the new key is in place already, but NO HANDSHAKE for 3 minutes - look at the hub"
#if !keepalive
    :do { :execute {{call_hub}} } on-error={ }
    :delay 2s
#end
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={
      :if ($iwAge < 3m) do={ :set iwSay "iwas-wg: OK, the new key was in use already" }
    }
  }
  :if ($iwTurn) do={
    :if (([:len $iwOldKey] != 44) or ([:len $iwKey] != 44)) do={ :error "iwas-wg: this account may not read the present key to keep it; use one with the policy sensitive. Nothing was changed" }
    # A peer without preshared key is made anew from this: not every version can unset one.
    :local iwName ("" . [/interface wireguard get $iwId name])
    :local iwPub ("" . [/interface wireguard peers get $iwPeer public-key])
    :local iwEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
    :local iwPort [:tonum [/interface wireguard peers get $iwPeer endpoint-port]]
    :if ([:typeof $iwPort] != "num") do={ :set iwPort 0 }
    :local iwKeep [/interface wireguard peers get $iwPeer persistent-keepalive]
    :if ([:typeof $iwKeep] != "time") do={ :set iwKeep 0s }
    :local iwAllow ""
    :foreach iwI in=[/interface wireguard peers get $iwPeer allowed-address] do={ :set iwAllow "$iwAllow,$iwI" }
    :set iwAllow [:pick $iwAllow 1 [:len $iwAllow]]
    # When the old key shook hands last, on this router's uptime; a second is lost in rounding.
    :local iwSeen 0s
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwSeen (([/system resource get uptime] - $iwAge) + 1s) }
    # 2. The new key gets 60 seconds to reach the hub, which knows both until it has seen the new one.
    :local iwUp false
    :do {
#if psk
      # First, since a key change calls the hub at once.
      /interface wireguard peers set $iwPeer preshared-key=$iwPsk
      /interface wireguard set $iwId private-key=$iwKey
#else
      /interface wireguard set $iwId private-key=$iwKey
      :if ($iwOldPsk != "") do={
        /interface wireguard peers remove $iwPeer
        /interface wireguard peers add interface=$iwName public-key=$iwPub allowed-address=$iwAllow endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=$iwKeep comment=$iwTag
        :set iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
      }
#end
      # Something to send makes the router call; in the background, for the hub cannot answer it yet.
      :do { :execute {{call_hub}} } on-error={ }
      :for iwN from=1 to=60 do={
        :if (!$iwUp) do={
          :delay 1s
          :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
          :if ([:typeof $iwAge] = "time") do={
            :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
          }
          :if ((!$iwUp) and (($iwN = 4) or ($iwN = 30))) do={
            # Not by itself: the peer starts from nothing.
            /interface wireguard peers set $iwPeer disabled=yes
            :delay 1s
            /interface wireguard peers set $iwPeer disabled=no
            :do { :execute {{call_hub}} } on-error={ }
          }
        }
      }
    } on-error={ :put "iwas-wg: WARNING the new key could not be tried" }
    :if ($iwUp) do={
#if made_here
      :do { /interface wireguard remove [find where comment=$iwNext] } on-error={ }
#end
      :set iwSay "iwas-wg: OK, handshake with the new key; traffic flows as soon as the hub has moved the address to it"
    } else={
      # 3. The old key comes back, and with it the router.
#if psk
      :if ($iwOldPsk = "") do={ /interface wireguard peers remove [find where comment=$iwTag] }
#end
      :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
        /interface wireguard peers add interface=$iwName public-key=$iwPub allowed-address=$iwAllow endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=$iwKeep comment=$iwTag
      }
      :set iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
      :if ($iwOldPsk != "") do={ /interface wireguard peers set $iwPeer preshared-key=$iwOldPsk }
      /interface wireguard set $iwId private-key=$iwOldKey
      /interface wireguard peers set $iwPeer disabled=yes
      :delay 1s
      /interface wireguard peers set $iwPeer disabled=no
      :do { :execute {{call_hub}} } on-error={ }
      :set iwSay "iwas-wg: NOT ROTATED, NO HANDSHAKE with the new key after 60s - the old key is back in place; look at the hub and run this again"
    }
  }
  :log info $iwSay
  :put $iwSay
}
