#- Shared: what keeps the hub from using the services that it is let through to.
#if management_tcp
  :foreach iwS in=[:toarray {{management_services}}] do={
    :do {
      :local iwSvc [:tostr $iwS]
      :local iwSid [:pick [/ip service find where name=$iwSvc] 0]
      :local iwFrom [/ip service get $iwSid address]
      :put ("iwas-wg: service $iwSvc, port " . [/ip service get $iwSid port] . ", accepts from " . [:tostr $iwFrom] . " (empty: everywhere)")
      :if ([/ip service get $iwSid disabled]) do={
        :set iwBad "$iwBad; service $iwSvc is disabled"
      } else={
        :local iwIn true
        :foreach iwN in=$iwFrom do={ :set iwIn false }
        :foreach iwN in=$iwFrom do={
          :if ([:typeof $iwN] = "ip-prefix") do={ :if ({{hub_ip}} in $iwN) do={ :set iwIn true } }
          :if (("" . $iwN) = $iwHub) do={ :set iwIn true }
        }
        :if (!$iwIn) do={ :set iwBad ("$iwBad; service $iwSvc accepts only " . [:tostr $iwFrom] . ", not the hub ($iwHub)") }
      }
    } on-error={ :put "iwas-wg: service $iwS cannot be read" }
  }
  :do {
    :foreach iwI in=[/user find] do={
      :local iwFrom [/user get $iwI address]
      :local iwIn true
      :foreach iwN in=$iwFrom do={ :set iwIn false }
      :foreach iwN in=$iwFrom do={
        :if ([:typeof $iwN] = "ip-prefix") do={ :if ({{hub_ip}} in $iwN) do={ :set iwIn true } }
        :if (("" . $iwN) = $iwHub) do={ :set iwIn true }
      }
      :if ([/user get $iwI disabled]) do={ :set iwIn true }
      :if (!$iwIn) do={ :set iwBad ("$iwBad; user " . [/user get $iwI name] . " may log in only from " . [:tostr $iwFrom] . ", not from the hub ($iwHub)") }
    }
  } on-error={ :put "iwas-wg: the users cannot be read" }
#end
#if management_snmp
  :do {
    :if (![/snmp get enabled]) do={ :set iwBad "$iwBad; SNMP is disabled" }
  } on-error={ :put "iwas-wg: snmp cannot be read" }
#end
