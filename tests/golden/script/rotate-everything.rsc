# iwas-wg "0.1.0": "rotate" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# org "K\C3\A4ffchen & \"S\C3\B6hne\" \$1"
# description "zwei\0AZeilen; /system reboot\\"
# tag city "wien\3F"
# For RouterOS 7.1 and later.
# It touches only what carries the comment "iwas-wg:cafe-central".
# CONTAINS A PRIVATE KEY: whoever reads this file can join the VPN as this router.
# The hub has to know the new key beside the old one first: import this only after
# "iwas-wg peer rotate" has said so. Without an answer to the new key the old one comes back.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK", or what is wrong.
# Then: /file remove "cafe-central.rsc"   and   /console clear-history   (both hold the key)
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag "iwas-wg:cafe-central"
  :local iwKey "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
  :local iwMine "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
  :local iwPsk "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
  # 1. Look before touching anything.
  :if ([:len [/interface wireguard find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no interface with the comment $iwTag; run the install script instead. Nothing was changed" }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no peer with the comment $iwTag; run the install script instead. Nothing was changed" }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :local iwOldKey [:tostr [/interface wireguard get $iwId private-key]]
  :local iwOldPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwOldPsk] != 44) do={ :set iwOldPsk "" }
  :local iwSay ""
  :local iwTurn true
  :if (($iwOwn = $iwMine) and ($iwOldPsk = $iwPsk)) do={ :set iwTurn false }
  :if ((!$iwTurn) and ($iwSay = "")) do={
    :set iwSay "iwas-wg: the new key is in place already, but NO HANDSHAKE for 3 minutes - look at the hub"
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={
      :if ($iwAge < 3m) do={ :set iwSay "iwas-wg: OK, the new key was in use already" }
    }
  }
  :if ($iwTurn) do={
    :if (([:len $iwOldKey] != 44) or ([:len $iwKey] != 44)) do={ :error "iwas-wg: this account may not read the present key to keep it; use one with the policy sensitive. Nothing was changed" }
    # A peer without preshared key is made anew from this: not every version can unset one.
    :local iwName ("" . [/interface wireguard get $iwId name])
    :local iwPub ("" . [/interface wireguard peers get $iwPeer public-key])
    :local iwEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
    :local iwPort [:tonum [/interface wireguard peers get $iwPeer endpoint-port]]
    :if ([:typeof $iwPort] != "num") do={ :set iwPort 0 }
    :local iwKeep [/interface wireguard peers get $iwPeer persistent-keepalive]
    :if ([:typeof $iwKeep] != "time") do={ :set iwKeep 0s }
    :local iwAllow ""
    :foreach iwI in=[/interface wireguard peers get $iwPeer allowed-address] do={ :set iwAllow "$iwAllow,$iwI" }
    :set iwAllow [:pick $iwAllow 1 [:len $iwAllow]]
    # When the old key shook hands last, on this router's uptime; a second is lost in rounding.
    :local iwSeen 0s
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwSeen (([/system resource get uptime] - $iwAge) + 1s) }
    # 2. The new key gets 60 seconds to reach the hub, which knows both until it has seen the new one.
    :local iwUp false
    :do {
      # First, since a key change calls the hub at once.
      /interface wireguard peers set $iwPeer preshared-key=$iwPsk
      /interface wireguard set $iwId private-key=$iwKey
      # Something to send makes the router call; in the background, for the hub cannot answer it yet.
      :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
      :for iwN from=1 to=60 do={
        :if (!$iwUp) do={
          :delay 1s
          :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
          :if ([:typeof $iwAge] = "time") do={
            :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
          }
          :if ((!$iwUp) and (($iwN = 4) or ($iwN = 30))) do={
            # Not by itself: the peer starts from nothing.
            /interface wireguard peers set $iwPeer disabled=yes
            :delay 1s
            /interface wireguard peers set $iwPeer disabled=no
            :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
          }
        }
      }
    } on-error={ :put "iwas-wg: WARNING the new key could not be tried" }
    :if ($iwUp) do={
      :set iwSay "iwas-wg: OK, handshake with the new key; traffic flows as soon as the hub has moved the address to it"
    } else={
      # 3. The old key comes back, and with it the router.
      :if ($iwOldPsk = "") do={ /interface wireguard peers remove [find where comment=$iwTag] }
      :if ([:len [/interface wireguard peers find where comment=$iwTag]] = 0) do={
        /interface wireguard peers add interface=$iwName public-key=$iwPub allowed-address=$iwAllow endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=$iwKeep comment=$iwTag
      }
      :set iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
      :if ($iwOldPsk != "") do={ /interface wireguard peers set $iwPeer preshared-key=$iwOldPsk }
      /interface wireguard set $iwId private-key=$iwOldKey
      /interface wireguard peers set $iwPeer disabled=yes
      :delay 1s
      /interface wireguard peers set $iwPeer disabled=no
      :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
      :set iwSay "iwas-wg: NOT ROTATED, NO HANDSHAKE with the new key after 60s - the old key is back in place; look at the hub and run this again"
    }
  }
  :log info $iwSay
  :put $iwSay
}
