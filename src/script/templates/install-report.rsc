#- Last part of the block that install-look.rsc opens: warnings, the wait for the hub, the verdict.
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
#end
#if known_key
  # 4. Wait a bounded time for the hub's answer.
  :local iwSay "iwas-wg: configured, but NO HANDSHAKE after 40s - check outbound UDP to $iwEp port $iwPort, the clock and the hub"
  :local iwWait true
#if !private_key
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :if ($iwOwn != $iwMine) do={
    :set iwWait false
    :set iwSay ("iwas-wg: configured, but NO HANDSHAKE: the hub knows another key; run there: iwas-wg peer rotate " . {{name}} . " --public-key $iwOwn")
  }
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
#if !keepalive
  # Nothing else would be sent now: an echo to the hub makes the router call it.
  :do { :execute {{call_hub}} } on-error={ }
#end
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
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :put "iwas-wg: public key of this router: $iwOwn"
  :local iwSay ("iwas-wg: configured, but NO HANDSHAKE yet: run on the hub: iwas-wg peer provision " . {{name}} . " --public-key $iwOwn")
#end
  :log info $iwSay
  :put $iwSay
}
