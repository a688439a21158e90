# iwas-wg "0.1.0": "remove" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# org "K\C3\A4ffchen & \"S\C3\B6hne\" \$1"
# description "zwei\0AZeilen; /system reboot\\"
# tag city "wien\3F"
# For RouterOS 7.1 and later.
# It touches only what carries the comment "iwas-wg:cafe-central".
# Use:  upload it as "cafe-central-remove.rsc", then
#         /import file-name="cafe-central-remove.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central-remove.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :local iwTag "iwas-wg:cafe-central"
  :local iwIf "wireguard-iwas"
  :local iwMine "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
  # 1. Look before touching anything.
  :foreach iwI in=[/interface find where name=$iwIf] do={
    :local iwHas ("" . [/interface get $iwI comment])
    :if ($iwHas != $iwTag) do={
      :local iwOurs false
      :if ($iwHas ~ "^iwas-wg:") do={
        # The same key under another tag: this very router, renamed on the hub.
        :foreach iwJ in=[/interface wireguard find where name=$iwIf] do={
          :if (("" . [/interface wireguard get $iwJ public-key]) = $iwMine) do={ :set iwOurs true }
        }
      }
      :if ((!$iwOurs) and ([:len [/interface wireguard find where comment=$iwTag]] = 0)) do={ :error "iwas-wg: interface $iwIf is not ours (comment: $iwHas). Nothing was removed" }
      :if ($iwOurs) do={ :set iwTag $iwHas }
    }
  }
  :local iwNext "$iwTag next key"
  :local iwBad ""
  :foreach iwI in=[/interface wireguard find where comment=$iwTag] do={
    :local iwNow ("" . [/interface wireguard get $iwI name])
    :foreach iwJ in=[/interface wireguard peers find where interface=$iwNow] do={
      :if (("" . [/interface wireguard peers get $iwJ comment]) != $iwTag) do={ :set iwBad "a peer" }
    }
    :foreach iwJ in=[/ip address find where interface=$iwNow] do={
      :if (("" . [/ip address get $iwJ comment]) != $iwTag) do={ :set iwBad "an address" }
    }
    :foreach iwJ in=[/ip route find where gateway=$iwNow and dynamic=no] do={
      :if (("" . [/ip route get $iwJ comment]) != $iwTag) do={ :set iwBad "a route" }
    }
    :foreach iwJ in=[/ip firewall filter find where in-interface=$iwNow and dynamic=no] do={
      :if (("" . [/ip firewall filter get $iwJ comment]) != $iwTag) do={ :set iwBad "a firewall rule" }
    }
    :foreach iwJ in=[/ip firewall raw find where in-interface=$iwNow and dynamic=no] do={
      :if (("" . [/ip firewall raw get $iwJ comment]) != $iwTag) do={ :set iwBad "a raw rule" }
    }
    :foreach iwJ in=[/ip firewall filter find where out-interface=$iwNow and dynamic=no] do={
      :if (("" . [/ip firewall filter get $iwJ comment]) != $iwTag) do={ :set iwBad "a firewall rule" }
    }
    :foreach iwJ in=[/ip firewall nat find where out-interface=$iwNow and dynamic=no] do={
      :if (("" . [/ip firewall nat get $iwJ comment]) != $iwTag) do={ :set iwBad "a NAT rule" }
    }
    :foreach iwJ in=[/interface list member find where interface=$iwNow and dynamic=no] do={
      :if (("" . [/interface list member get $iwJ comment]) != $iwTag) do={ :set iwBad "an interface list" }
    }
    :if ($iwBad != "") do={ :error "iwas-wg: $iwBad uses interface $iwNow and is not ours; take it off first. Nothing was removed" }
  }
  :local iwCount [:len [/interface wireguard find where comment=$iwTag]]
  :set iwCount ($iwCount + [:len [/ip address find where comment=$iwTag]])
  :set iwCount ($iwCount + [:len [/interface wireguard peers find where comment=$iwTag]])
  :set iwCount ($iwCount + [:len [/ip firewall filter find where comment=$iwTag]])
  :set iwCount ($iwCount + [:len [/ip firewall raw find where comment=$iwTag]])
  :set iwCount ($iwCount + [:len [/ip route find where comment=$iwTag]])
  :local iwSay "iwas-wg: OK, nothing of ours is on this router"
  :if ($iwCount > 0) do={
    :set iwSay "iwas-wg: OK, removed"
    :put "iwas-wg: removing; a session through the tunnel ends here, the log of the router has the result"
  }
  # 2. In the reverse order of the install script, by tag alone; menus of the operator's own additions first.
  :do { /system scheduler remove [find where comment=$iwTag] } on-error={ }
  :do { /system script remove [find where comment=$iwTag] } on-error={ }
  /tool netwatch remove [find where comment=$iwTag]
  :do { /ip firewall nat remove [find where comment=$iwTag] } on-error={ }
  :do { /ip firewall mangle remove [find where comment=$iwTag] } on-error={ }
  :do { /ip firewall address-list remove [find where comment=$iwTag] } on-error={ }
  /tool netwatch remove [find where comment="$iwTag way back"]
  /ip firewall raw remove [find where comment=$iwTag]
  /ip firewall filter remove [find where comment=$iwTag]
  :do { /ipv6 route remove [find where comment=$iwTag] } on-error={ }
  /ip route remove [find where comment=$iwTag]
  /interface list member remove [find where comment=$iwTag]
  # The contact ends with one statement: cut off before it, the hub can send this script again.
  /interface wireguard remove [find where comment=$iwNext]
  /interface wireguard remove [find where comment=$iwTag]
  /ip address remove [find where comment=$iwTag]
  /interface wireguard peers remove [find where comment=$iwTag]
  :log info $iwSay
  :put $iwSay
}
