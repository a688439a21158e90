#- Runs inside the router's netwatch when the hub stops answering: it has no policy "sensitive" and
#- is stored as a string, so it is quoted a second time. Netwatch starts it once per change to
#- "down", hence the loop; each run leaves its mark, and an older run ends when it sees another.
#- It ends by itself as soon as the hub answers or the entry is removed. A live tunnel is never
#- touched, even where the hub answers no ping, and nothing is ever disabled.
{
  :global {{watchdog_mark}}
  :local iwMark ("" . [/system resource get uptime])
  :set {{watchdog_mark}} $iwMark
  :local iwPause 1m
  :local iwTry 0
  :local iwGo true
  :while ($iwGo) do={
    :delay $iwPause
    :set iwPause ($iwPause + $iwPause)
    :if ($iwPause > 30m) do={ :set iwPause 30m }
    :set iwGo false
    :foreach iwI in=[/tool netwatch find where comment={{tag}}] do={
      :if (("" . [/tool netwatch get $iwI status]) = "down") do={ :set iwGo true }
    }
    :local iwPeers [/interface wireguard peers find where comment={{tag}} and disabled=no]
    :if (([:len $iwPeers] = 0) or ($iwMark != ("" . ${{watchdog_mark}}))) do={ :set iwGo false }
    :local iwDark $iwGo
    :foreach iwI in=$iwPeers do={
      :local iwAge [/interface wireguard peers get $iwI last-handshake]
      :if ([:typeof $iwAge] = "time") do={
        :if ($iwAge < 3m) do={ :set iwDark false }
      }
    }
    :local iwIs {{endpoint}}
#if host_name
    :do { :set iwIs ("" . [:resolve {{endpoint}}]) } on-error={ :set iwIs "" }
#end
    :if ($iwDark) do={
      # Without internet of its own the router can do nothing.
      :local iwNet 0
      :foreach iwA in=[:toarray "$iwIs,1.1.1.1,9.9.9.9"] do={
        :do { :if ($iwNet = 0) do={ :set iwNet [/ping ("" . $iwA) count=2] } } on-error={ }
      }
      :if ($iwNet = 0) do={ :set iwDark false }
    }
#if host_name
    :foreach iwI in=$iwPeers do={
      :local iwHas ("" . [/interface wireguard peers get $iwI endpoint-address])
      :local iwUsed ("" . [/interface wireguard peers get $iwI current-endpoint-address])
      :if ($iwDark and ($iwIs != "") and (($iwIs != $iwUsed) or ($iwHas != {{endpoint}}))) do={
        :log warning "iwas-wg: the tunnel is dark, following the endpoint to $iwIs"
        # The same name again might change nothing: by its address it does.
        /interface wireguard peers set $iwI endpoint-address=$iwIs
        /interface wireguard peers set $iwI endpoint-address={{endpoint}}
        :set iwDark false
      }
    }
#end
    # A NAT entry on the way may be stuck: another port leaves it. Not for ever, each is a write.
    :if ($iwDark and ($iwTry < 6)) do={
      :set iwTry ($iwTry + 1)
      :foreach iwI in=[/interface wireguard find where comment={{tag}}] do={
        :local iwNewPort ([/interface wireguard get $iwI listen-port] + 1)
        :local iwFree false
        :while (!$iwFree) do={
          :if ($iwNewPort > 65000) do={ :set iwNewPort 51821 }
          :set iwFree true
          :if ([:len [/interface wireguard find where listen-port=$iwNewPort]] > 0) do={
            :set iwFree false
            :set iwNewPort ($iwNewPort + 1)
          }
        }
        :log warning "iwas-wg: the tunnel is dark, calling the hub from port $iwNewPort"
        /interface wireguard set $iwI listen-port=$iwNewPort
      }
    }
  }
}
