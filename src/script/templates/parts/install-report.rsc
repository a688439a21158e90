#- The wait for the hub, and the way back.
  :local iwUp false
#if known_key
  # 4. Wait a bounded time for the hub's answer.
  :local iwWhy "none after 40s: check outbound UDP to $iwEp port $iwPort, the clock and the hub"
  :local iwTries 21
  :local iwWait true
#if !private_key
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :if ($iwOwn != $iwMine) do={
    :set iwWait false
    :set iwWhy ("the hub knows another key; run there: iwas-wg peer rotate " . {{name}} . " --public-key $iwOwn")
  }
#end
  # A preshared key alone takes part in the next handshake, which is due after two minutes at most.
  :if ($iwAlive and ($iwWasPsk != $iwNewPsk) and (!$iwNewKey)) do={
    :set iwTries 76
    :set iwWhy "none within 150s after the preshared key changed: look at the hub"
    :put "iwas-wg: waiting up to 150s for a handshake with the other preshared key"
  }
  # Something to send makes the router call.
  :do { :execute {{call_hub}} } on-error={ }
  :for iwN from=1 to=75 do={
    :if ($iwWait and (!$iwUp) and ($iwN < $iwTries)) do={
      :if ($iwSwap or ($iwN > 1)) do={ :delay 2s }
      :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
      :if ([:typeof $iwAge] = "time") do={
        :if ($iwSwap) do={
          :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
        } else={
          :if ($iwAge < 3m) do={ :set iwUp true }
        }
      }
      :if ((!$iwUp) and $iwMoved and (!$iwKeys)) do={
        # The old session may go on at the new endpoint: then traffic is the proof.
        :do { :if ([/ping {{hub_ip}} count=1] > 0) do={ :set iwUp true } } on-error={ }
      }
    }
  }
  :if ($iwWait and (!$iwUp) and $iwSwap and $iwAlive) do={
    # 5. The way back.
    #include put-back
    :set iwWhy "the new endpoint or keys brought none, so the old ones are back in place: $iwWhy"
    :set iwWait false
  }
#else
  # 4. The hub learns this router's key by hand; the private key never leaves the router.
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :put "iwas-wg: public key of this router: $iwOwn"
  :local iwWhy ("the hub has to learn the key of this router; run there: iwas-wg peer provision " . {{name}} . " --public-key $iwOwn")
#end
  :do { /tool netwatch remove [find where comment=$iwBackTag] } on-error={ :put "iwas-wg: the way back over a power cut stays until the hub answers" }
  :if ($iwUp and (!$iwDid)) do={ :put "iwas-wg: nothing to change" }
