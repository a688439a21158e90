# iwas-wg "0.1.0": "rotate" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# org "K\C3\A4ffchen & \"S\C3\B6hne\" \$1"
# description "zwei\0AZeilen; /system reboot\\"
# tag city "wien\3F"
# For RouterOS 7.1 and later.
# It touches only what carries the comment "iwas-wg:cafe-central".
# CONTAINS A PRIVATE KEY: whoever reads this file can join the VPN as this router.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints begins with "iwas-wg:" and says how it went.
# Then: /file remove "cafe-central.rsc"   and   /console clear-history   (both hold the key)
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag "iwas-wg:cafe-central"
  :local iwKey "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
  :local iwMine "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
  # 1. Look before touching anything.
  :if ([:len [/interface wireguard find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no interface with the comment $iwTag; run the install script instead. Nothing was changed" }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no peer with the comment $iwTag; run the install script instead. Nothing was changed" }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :local iwOwn [:tostr [/interface wireguard get $iwId public-key]]
  :local iwSay "iwas-wg: OK, the new key was in use already"
  :local iwTurn true
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
