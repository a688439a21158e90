#- The hub holds the old and the new key, the new one without allowed addresses, until it has seen a
#- handshake with it; then the address moves. So the new key completes a handshake here while the
#- tunnel carries nothing yet, and the handshake alone decides: without one the old key comes back.
#- Nothing is disabled on the way: a power cut in the middle leaves a router that calls the hub with a
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
  :local iwWasKey [:tostr [/interface wireguard get $iwId private-key]]
  :local iwWasPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwWasPsk] != 44) do={ :set iwWasPsk "" }
  :local iwSay ""
  :local iwTurn true
  :if (($iwOwn = $iwMine) and ($iwWasPsk = $iwPsk)) do={ :set iwTurn false }
#if made_here
  # The router made its key itself, so it makes the next one too, beside the tunnel that runs.
  :local iwNext "$iwTag next key"
  :if ($iwOwn = $iwMine) do={ :set iwKey $iwWasKey }
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
    :if (([:len $iwWasKey] != 44) or ([:len $iwKey] != 44)) do={ :error "iwas-wg: this account may not read the present key to keep it; use one with the policy sensitive. Nothing was changed" }
    :local iwWasPub ("" . [/interface wireguard peers get $iwPeer public-key])
    :local iwWasEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
    :local iwWasPort ("" . [/interface wireguard peers get $iwPeer endpoint-port])
    :local iwNewPsk $iwPsk
    :local iwNewKey true
    # When the old key shook hands last, on this router's uptime; a second is lost in rounding.
    :local iwSeen 0s
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwSeen (([/system resource get uptime] - $iwAge) + 1s) }
    # Within the same second the old handshake and the new one could not be told apart.
    :if ($iwSeen > 0s) do={ :delay 2s }
    # 2. The new key gets 60 seconds to reach the hub, which knows both until it has seen the new one.
    :local iwBackTag "$iwTag way back"
    #include way-back
    :local iwUp false
    :do {
#if psk
      # First, since a key change calls the hub at once.
      /interface wireguard peers set $iwPeer preshared-key=$iwPsk
#else
      :if ($iwWasPsk != "") do={
        #include unset-preshared
        :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={ :error "this version cannot unset a preshared key" }
      }
#end
      /interface wireguard set $iwId private-key=$iwKey
      # Something to send makes the router call; in the background, for the hub cannot answer it yet.
      :do { :execute {{call_hub}} } on-error={ }
      :local iwLong false
      :for iwN from=1 to=150 do={
        :if ((!$iwUp) and (($iwN < 61) or $iwLong)) do={
          :delay 1s
          :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
          :if ([:typeof $iwAge] = "time") do={
            :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
          }
          :if ((!$iwUp) and (($iwN = 30) or ($iwN = 75) or ($iwN = 100) or ($iwN = 125) or ($iwN = 145))) do={ :do { :execute {{call_hub}} } on-error={ } }
          :if ((!$iwUp) and ($iwN = 50)) do={
            # Where the old session still bears traffic, or nothing can be said of it, the router has
            # not called anew: it does within two minutes of its last call.
            :local iwGot 1
            :do { :set iwGot [/ping {{hub_ip}} count=1] } on-error={ }
            :if ($iwGot > 0) do={ :set iwLong true }
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
      #include put-back
      :set iwSay "iwas-wg: NOT ROTATED, NO HANDSHAKE with the new key after 60s - the old key is back in place; look at the hub and run this again"
    }
    :do { /tool netwatch remove [find where comment=$iwBackTag] } on-error={ :put "iwas-wg: the way back over a power cut stays until the hub answers" }
  }
  :log info $iwSay
  :put $iwSay
}
