/interface wireguard peers set $iwPeer public-key=$iwWasPub endpoint-address=$iwWasEp endpoint-port=$iwWasPort
:if ($iwWasPsk != $iwNewPsk) do={
  :if ($iwWasPsk = "") do={
    #include unset-preshared
  } else={ /interface wireguard peers set $iwPeer preshared-key=$iwWasPsk }
}
:if ($iwNewKey) do={ /interface wireguard set $iwId private-key=$iwWasKey }
:do { :execute {{call_hub}} } on-error={ }
