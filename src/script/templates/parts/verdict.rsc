#- Shared last part: three echoes to the hub, the warnings, a line for programs, and the verdict in
#- the words that all scripts use. Wants iwUp (a handshake), iwWhy (if there is none), iwBad.
  :local iwPings 0
  :if ($iwUp) do={
    :do {
      :local iwGot [/ping {{hub_ip}} count=3]
      :if ([:typeof $iwGot] = "num") do={ :set iwPings $iwGot }
    } on-error={ :put "iwas-wg: this account may not ping: it lacks the policy test" }
  }
  :local iwAgo "never"
  :foreach iwI in=[/interface wireguard peers find where comment=$iwTag] do={
    :local iwAge [/interface wireguard peers get $iwI last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwAgo ("" . $iwAge) }
  }
  :local iwWarn 0
  :local iwLeft $iwBad
  :while ([:len $iwLeft] > 0) do={
    :local iwText [:pick $iwLeft 2 [:len $iwLeft]]
    :local iwCut [:find $iwText "; "]
    :if ([:typeof $iwCut] != "num") do={ :set iwCut [:len $iwText] }
    :put ("iwas-wg: WARNING " . [:pick $iwText 0 $iwCut])
    :set iwWarn ($iwWarn + 1)
    :set iwLeft ("" . [:pick $iwText $iwCut [:len $iwText]])
  }
  :local iwResult "no-handshake"
  :local iwSay "iwas-wg: NO HANDSHAKE - $iwWhy"
  :if ($iwUp) do={
    :set iwResult "no-traffic"
    :local iwLook "look at the firewall of the hub"
    :if ($iwNeed and ($iwGood = 0)) do={ :set iwLook "look at chain input of this router, then at the firewall of the hub" }
    :if ($iwRawNeed and ($iwRawGood = 0)) do={ :set iwLook "a rule of /ip firewall raw may drop what comes through the tunnel" }
    :set iwSay "iwas-wg: HANDSHAKE BUT NO TRAFFIC - the hub ($iwHub) answers no ping: $iwLook$iwFault"
    :if ($iwPings > 0) do={
      :set iwResult "ok"
      :set iwSay "iwas-wg: OK"
      :if ($iwWarn = 1) do={ :set iwSay "iwas-wg: OK, 1 warning" }
      :if ($iwWarn > 1) do={ :set iwSay "iwas-wg: OK, $iwWarn warnings" }
    }
  }
  :put "iwas-wg: result=$iwResult warnings=$iwWarn handshake=$iwAgo ping=$iwPings/3"
  :log info $iwSay
  :put $iwSay
}
