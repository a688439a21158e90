{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag {{tag}}
#if private_key
  :local iwKey {{private_key}}
#end
#if known_key
  :local iwMine {{public_key}}
#else
  :local iwMine ""
#end
  # 1. Look before touching anything.
  :if ([:len [/interface wireguard find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no interface with the comment $iwTag; run the install script instead. Nothing was changed" }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no peer with the comment $iwTag; run the install script instead. Nothing was changed" }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :local iwOwn [:tostr [/interface wireguard get $iwId public-key]]
  :local iwSay "iwas-wg: OK, the new key was in use already"
  :local iwTurn true
#if !private_key
  # The router made its key itself, so it makes the next one too, beside the tunnel that runs.
  :local iwNext "$iwTag next key"
  :local iwKey ""
  :foreach iwI in=[/interface wireguard find where comment=$iwNext] do={
    :if ([:tostr [/interface wireguard get $iwI public-key]] = $iwMine) do={ :set iwKey [:tostr [/interface wireguard get $iwI private-key]] }
  }
  :if ($iwKey = "") do={
    :set iwTurn false
    :if ([:len [/interface wireguard find where comment=$iwNext]] = 0) do={
      /interface wireguard add name=({{interface}} . "-next") disabled=yes comment=$iwNext
    }
    :local iwNew [:tostr [/interface wireguard get [find where comment=$iwNext] public-key]]
    :put "iwas-wg: next public key of this router: $iwNew"
    :set iwSay ("iwas-wg: OK so far, now run on the hub: iwas-wg peer rotate " . {{name}} . " --public-key $iwNew - then run a new rotate script here")
  }
#end
  :if ($iwOwn = $iwMine) do={ :set iwTurn false }
  :if ($iwTurn) do={
    :local iwOldKey [:tostr [/interface wireguard get $iwId private-key]]
    :if ([:len $iwOldKey] != 44) do={ :error "iwas-wg: this account may not read the present key to keep it; use one with the policy sensitive. Nothing was changed" }
    # 2. The new key gets 60 seconds to reach the hub, which knows both until it has seen the new one.
    :local iwUp false
    :local iwMax 1s
    :do {
      /interface wireguard set $iwId private-key=$iwKey
      /interface wireguard peers set $iwPeer disabled=yes
      :delay 1s
      /interface wireguard peers set $iwPeer disabled=no
#if !keepalive
      # Nothing else would be sent now: a question to the hub makes the router call it.
      :do { :local iwIp [:resolve "iwas-wg.invalid" server={{hub_ip}}] } on-error={ }
#end
      :for iwN from=1 to=30 do={
        :if (!$iwUp) do={
          :delay 2s
          :set iwMax ($iwMax + 2s)
          :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
          :if ([:typeof $iwAge] = "time") do={
            # Older than the change: a handshake of the old key.
            :if ($iwAge < $iwMax) do={ :set iwUp true }
          }
        }
      }
    } on-error={ :put "iwas-wg: WARNING the new key could not be tried" }
    :if ($iwUp) do={
#if !private_key
      /interface wireguard remove [find where comment=$iwNext]
#end
      :set iwSay "iwas-wg: OK, handshake with the new key"
    } else={
      # 3. The old key comes back, and with it the router.
      /interface wireguard set $iwId private-key=$iwOldKey
      /interface wireguard peers set $iwPeer disabled=yes
      :delay 1s
      /interface wireguard peers set $iwPeer disabled=no
      :set iwSay "iwas-wg: NOT ROTATED, NO HANDSHAKE with the new key after 60s - the old key is back in place; look at the hub and run this again"
    }
  }
  :log info $iwSay
  :put $iwSay
}
