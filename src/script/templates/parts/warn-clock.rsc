#- Shared: what would keep the hub from answering, collected in iwBad, each after "; ".
  :do {
    :local iwDay ("" . [/system clock get date])
    :put ("iwas-wg: clock $iwDay " . [/system clock get time])
    :if ($iwDay ~ "1970") do={ :set iwBad "$iwBad; the clock is in 1970, so the hub may refuse handshakes until NTP has set it" }
  } on-error={ :put "iwas-wg: clock cannot be read" }
  :do {
    :local iwNtp "off"
    :if ([/system ntp client get enabled]) do={ :set iwNtp ("on, " . [/system ntp client get status]) }
    :put "iwas-wg: ntp $iwNtp"
    :if ($iwNtp = "off") do={ :set iwBad "$iwBad; the NTP client is off, so after a power cut the hub may refuse this router's handshakes" }
  } on-error={ :put "iwas-wg: ntp cannot be read" }
#if host_name
  :local iwNameIs ""
  :do {
    :set iwNameIs ("" . [:resolve $iwEp])
    :put "iwas-wg: endpoint $iwEp is $iwNameIs"
  } on-error={ :set iwBad "$iwBad; this router cannot resolve $iwEp (see /ip dns)" }
#end
