# One statement, or none has happened: versions differ in the word that unsets it.
:do { /interface wireguard peers set $iwPeer preshared-key="" } on-error={ }
:if ([:len ("" . [/interface wireguard peers get $iwPeer preshared-key])] = 44) do={
  :do { /interface wireguard peers set $iwPeer preshared-key=none } on-error={ }
}
