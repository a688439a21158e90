# iwas-wg "0.1.0": "rotate" script of location "cafe-central", revision "2026-11-22T11:14:05Z"
# For RouterOS 7.1 and later.
# It touches only what carries the comment "iwas-wg:cafe-central".
# CONTAINS A PRESHARED KEY: keep it as secret as a password.
# Step 2 of 2: takes over the key that step 1 made, which the hub knows now beside the old one.
# Without an answer to the new key the old one comes back.
# Use:  upload it as "cafe-central.rsc", then
#         /import file-name="cafe-central.rsc"
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name="cafe-central.rsc" verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
# Then: /file remove "cafe-central.rsc"   and   /console clear-history   (both hold the key)
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
{
  :if ([:pick [/system resource get version] 0 3] = "7.0") do={ :error "iwas-wg: needs RouterOS 7.1 or later, upgrade this router first" }
  :local iwTag "iwas-wg:cafe-central"
  :local iwKey ""
  :local iwMine "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  :local iwPsk "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
  # 1. Look before touching anything.
  :if ([:len [/interface wireguard find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no interface with the comment $iwTag; run the install script instead. Nothing was changed" }
  :if ([:len [/interface wireguard peers find where comment=$iwTag]] != 1) do={ :error "iwas-wg: this router has no peer with the comment $iwTag; run the install script instead. Nothing was changed" }
  :local iwId [:pick [/interface wireguard find where comment=$iwTag] 0]
  :local iwPeer [:pick [/interface wireguard peers find where comment=$iwTag] 0]
  :local iwOwn ("" . [/interface wireguard get $iwId public-key])
  :local iwWasKey [:tostr [/interface wireguard get $iwId private-key]]
  :local iwWasPsk ("" . [/interface wireguard peers get $iwPeer preshared-key])
  :if ([:len $iwWasPsk] != 44) do={ :set iwWasPsk "" }
  :local iwSay ""
  :local iwTurn true
  :if (($iwOwn = $iwMine) and ($iwWasPsk = $iwPsk)) do={ :set iwTurn false }
  # The router made its key itself, so it makes the next one too, beside the tunnel that runs.
  :local iwNext "$iwTag next key"
  :if ($iwOwn = $iwMine) do={ :set iwKey $iwWasKey }
  :foreach iwI in=[/interface wireguard find where comment=$iwNext] do={
    :local iwHas ("" . [/interface wireguard get $iwI public-key])
    :if ($iwHas = $iwMine) do={ :set iwKey [:tostr [/interface wireguard get $iwI private-key]] }
    # Left over from the last rotation.
    :if ($iwHas = $iwOwn) do={ /interface wireguard remove $iwI }
  }
  :if ($iwKey = "") do={ :error ("iwas-wg: this router does not have the key $iwMine; have its next one made: iwas-wg script render " . "cafe-central" . " --kind rotate. Nothing was changed") }
  :if ((!$iwTurn) and ($iwSay = "")) do={
    :set iwSay "iwas-wg: the new key is in place already, but NO HANDSHAKE for 3 minutes - look at the hub"
    :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
    :delay 2s
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={
      :if ($iwAge < 3m) do={ :set iwSay "iwas-wg: OK, the new key was in use already" }
    }
  }
  :if ($iwTurn) do={
    :if (([:len $iwWasKey] != 44) or ([:len $iwKey] != 44)) do={ :error "iwas-wg: this account may not read the present key to keep it; use one with the policy sensitive. Nothing was changed" }
    :local iwWasPub ("" . [/interface wireguard peers get $iwPeer public-key])
    :local iwWasEp ("" . [/interface wireguard peers get $iwPeer endpoint-address])
    :local iwWasPort ("" . [/interface wireguard peers get $iwPeer endpoint-port])
    :local iwNewPsk $iwPsk
    :local iwNewKey true
    # When the old key shook hands last, on this router's uptime; a second is lost in rounding.
    :local iwSeen 0s
    :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
    :if ([:typeof $iwAge] = "time") do={ :set iwSeen (([/system resource get uptime] - $iwAge) + 1s) }
    # Within the same second the old handshake and the new one could not be told apart.
    :if ($iwSeen > 0s) do={ :delay 2s }
    # 2. The new key gets 60 seconds to reach the hub, which knows both until it has seen the new one.
    :local iwBackTag "$iwTag way back"
    :do {
      :local iwDo "/interface wireguard peers set [find where comment=\"$iwTag\"] public-key=\"$iwWasPub\" endpoint-address=\"$iwWasEp\" endpoint-port=$iwWasPort"
      :if ($iwWasPsk != "") do={ :set iwDo "$iwDo preshared-key=\"$iwWasPsk\"" }
      :if (($iwWasPsk = "") and ($iwNewPsk != "")) do={
        :set iwDo "$iwDo\n:do { /interface wireguard peers set [find where comment=\"$iwTag\"] preshared-key=none } on-error={ }"
        :set iwDo "$iwDo\n:do { /interface wireguard peers set [find where comment=\"$iwTag\"] preshared-key=\"\" } on-error={ }"
      }
      :if ($iwNewKey) do={ :set iwDo "$iwDo\n/interface wireguard set [find where comment=\"$iwTag\"] private-key=\"$iwWasKey\"" }
      :set iwDo "$iwDo\n:log warning \"iwas-wg: the old session is back after an interrupted script\""
      :set iwDo "$iwDo\n/tool netwatch remove [find where comment=\"$iwBackTag\"]"
      :local iwDone ":delay 5m\n/tool netwatch remove [find where comment=\"$iwBackTag\"]"
      /tool netwatch add host=10.0.0.1 interval=3m timeout=3s down-script=$iwDo up-script=$iwDone comment=$iwBackTag
    } on-error={ :put "iwas-wg: no way back over a power cut, netwatch refused it" }
    :local iwUp false
    :do {
      # First, since a key change calls the hub at once.
      /interface wireguard peers set $iwPeer preshared-key=$iwPsk
      /interface wireguard set $iwId private-key=$iwKey
      # Something to send makes the router call; in the background, for the hub cannot answer it yet.
      :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
      :local iwLong false
      :for iwN from=1 to=150 do={
        :if ((!$iwUp) and (($iwN < 61) or $iwLong)) do={
          :delay 1s
          :local iwAge [/interface wireguard peers get $iwPeer last-handshake]
          :if ([:typeof $iwAge] = "time") do={
            :if (([/system resource get uptime] - $iwAge) > $iwSeen) do={ :set iwUp true }
          }
          :if ((!$iwUp) and (($iwN = 30) or ($iwN = 75) or ($iwN = 100) or ($iwN = 125) or ($iwN = 145))) do={ :do { :execute "/ping 10.0.0.1 count=2" } on-error={ } }
          :if ((!$iwUp) and ($iwN = 50)) do={
            # Where the old session still bears traffic, or nothing can be said of it, the router has
            # not called anew: it does within two minutes of its last call.
            :local iwGot 1
            :do { :set iwGot [/ping 10.0.0.1 count=1] } on-error={ }
            :if ($iwGot > 0) do={ :set iwLong true }
          }
        }
      }
    } on-error={ :put "iwas-wg: WARNING the new key could not be tried" }
    :if ($iwUp) do={
      :do { /interface wireguard remove [find where comment=$iwNext] } on-error={ }
      :set iwSay "iwas-wg: OK, handshake with the new key; traffic flows as soon as the hub has moved the address to it"
    } else={
      # 3. The old key comes back, and with it the router.
      /interface wireguard peers set $iwPeer public-key=$iwWasPub endpoint-address=$iwWasEp endpoint-port=$iwWasPort
      :if ($iwWasPsk != $iwNewPsk) do={
        :if ($iwWasPsk = "") do={
          # One statement, or none has happened: versions differ in the word that unsets it.
          :do { /interface wireguard peers set $iwPeer preshared-key="" } on-error={ }
          :if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
            :do { /interface wireguard peers set $iwPeer preshared-key=none } on-error={ }
          }
        } else={ /interface wireguard peers set $iwPeer preshared-key=$iwWasPsk }
      }
      :if ($iwNewKey) do={ /interface wireguard set $iwId private-key=$iwWasKey }
      :do { :execute "/ping 10.0.0.1 count=2" } on-error={ }
      :set iwSay "iwas-wg: NOT ROTATED, NO HANDSHAKE with the new key after 60s - the old key is back in place; look at the hub and run this again"
    }
    :do { /tool netwatch remove [find where comment=$iwBackTag] } on-error={ :put "iwas-wg: the way back over a power cut stays until the hub answers" }
  }
  :log info $iwSay
  :put $iwSay
}
