#- What a session is made of changes last and together: keys and endpoint. Where the old session was
#- alive, the old values are kept: here, to come back when the new ones bring neither handshake nor
#- traffic, and in a netwatch entry, which does the same after a power cut or a lost import. Nothing
#- is ever disabled on the way, so a cut leaves a router that calls the hub.
  :local iwBackTag "$iwTag way back"
  :local iwAlive false
  :local iwSeen 0s
  :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
  :if ([:typeof $iwAge] = "time") do={
    :if ($iwAge < 3m) do={ :set iwAlive true }
    # When the last handshake was, on this router's uptime; a second is lost in rounding.
    :set iwSeen (([/system resource get uptime] - $iwAge) + 1s)
  }
  :local iwWasKey ("" . [/interface wireguard get $iwId private-key])
  :local iwWasPub ("" . [/interface wireguard peers get $iwPeer public-key])
  :local iwWasPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwWasPsk] != 44) do={ :set iwWasPsk "" }
  :local iwWasEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
  :local iwWasPort ("" . [/interface wireguard peers get $iwPeer endpoint-port])
#if psk
  :local iwNewPsk $iwPsk
#else
  :local iwNewPsk ""
#end
  :local iwNewKey false
#if private_key
  :if (("" . [/interface wireguard get $iwId public-key]) != $iwMine) do={ :set iwNewKey true }
#end
  # A ping through the old session says nothing of another key: then only a handshake counts.
  :local iwKeys ($iwNewKey or ($iwWasPub != $iwPub) or ($iwWasPsk != $iwNewPsk))
  :local iwMoved (($iwWasEp != $iwEp) or ($iwWasPort != ("" . $iwPort)))
  :local iwSwap ($iwKeys or $iwMoved)
  :if ($iwNewKey and ([:len $iwWasKey] != 44)) do={ :set iwAlive false }
  :if ($iwSwap and $iwAlive) do={
    #include way-back
  }
  :if ($iwSwap) do={
    :set iwDid true
    # Within the same second the old handshake and the new one could not be told apart.
    :delay 2s
    :if ($iwMoved) do={ :put "iwas-wg: endpoint set to $iwEp port $iwPort" }
    :if ($iwKeys) do={ :put "iwas-wg: keys of the session set" }
#if psk
    /interface wireguard peers set $iwPeer public-key=$iwPub preshared-key=$iwPsk endpoint-address=$iwEp endpoint-port=$iwPort
#else
    :if ($iwWasPsk != "") do={
      #include unset-preshared
      :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
        :set iwBad "$iwBad; this version cannot unset a preshared key: make one on the hub (iwas-wg peer rotate --preshared)"
      }
    }
    :if ($iwMoved or ($iwWasPub != $iwPub)) do={ /interface wireguard peers set $iwPeer public-key=$iwPub endpoint-address=$iwEp endpoint-port=$iwPort }
#end
#if private_key
    :if ($iwNewKey) do={ /interface wireguard set $iwId private-key=$iwKey }
#end
  }
