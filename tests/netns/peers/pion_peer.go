// pion behind the line protocol of floe-ice (DESIGN.md), so that the two can be paired.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/pion/ice/v2"
)

var out sync.Mutex

func say(format string, args ...any) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(format+"\n", args...)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	role := flag.String("role", "controlling", "")
	stun := flag.String("stun", "", "")
	turn := flag.String("turn", "", "")
	user := flag.String("turn-user", "", "")
	pass := flag.String("turn-pass", "", "")
	relayOnly := flag.Bool("relay-only", false, "")
	flag.Bool("no-tcp", false, "")
	lite := flag.Bool("lite", false, "")
	flag.Parse()

	config := &ice.AgentConfig{
		NetworkTypes:     []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6, ice.NetworkTypeTCP4, ice.NetworkTypeTCP6},
		MulticastDNSMode: ice.MulticastDNSModeDisabled,
		Lite:             *lite,
	}
	if *lite {
		config.CandidateTypes = []ice.CandidateType{ice.CandidateTypeHost}
	}
	if *relayOnly {
		config.CandidateTypes = []ice.CandidateType{ice.CandidateTypeRelay}
	}
	for _, raw := range []string{*stun, *turn} {
		if raw == "" {
			continue
		}
		if raw == *stun {
			raw = "stun:" + raw
		}
		url, err := ice.ParseURL(raw)
		must(err)
		url.Username, url.Password = *user, *pass
		config.Urls = append(config.Urls, url)
	}
	agent, err := ice.NewAgent(config)
	must(err)
	credentials := func() {
		ufrag, pwd, err := agent.GetLocalUserCredentials()
		must(err)
		say("ufrag %s", ufrag)
		say("pwd %s", pwd)
	}
	must(agent.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			say("end-of-candidates")
			return
		}
		say("candidate candidate:%s", c.Marshal())
	}))
	must(agent.OnConnectionStateChange(func(s ice.ConnectionState) { say("state %s", strings.ToLower(s.String())) }))
	must(agent.OnSelectedCandidatePairChange(func(l, r ice.Candidate) {
		say("selected candidate:%s | candidate:%s", l.Marshal(), r.Marshal())
	}))
	credentials()
	must(agent.GatherCandidates())

	var conn *ice.Conn
	connected := make(chan struct{})
	ufrag, started, restarting := "", false, false
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		word, value, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ufrag":
			ufrag = value
		case "pwd":
			if started {
				if !restarting {
					must(agent.Restart("", ""))
					credentials()
					must(agent.GatherCandidates())
				}
				restarting = false
				must(agent.SetRemoteCredentials(ufrag, value))
				continue
			}
			started = true
			go func(ufrag, pwd string) {
				join := agent.Accept
				if *role == "controlling" {
					join = agent.Dial
				}
				made, err := join(context.Background(), ufrag, pwd)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				conn = made
				close(connected)
				data := make([]byte, 65536)
				for {
					n, err := conn.Read(data)
					if err != nil {
						return
					}
					say("recv %s", hex.EncodeToString(data[:n]))
				}
			}(ufrag, value)
		case "candidate":
			c, err := ice.UnmarshalCandidate(strings.TrimPrefix(value, "candidate:"))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				continue
			}
			must(agent.AddRemoteCandidate(c))
		case "send":
			data, err := hex.DecodeString(value)
			must(err)
			<-connected
			if _, err := conn.Write(data); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		case "restart":
			restarting = true
			must(agent.Restart("", ""))
			credentials()
			must(agent.GatherCandidates())
		case "close":
			must(agent.Close())
			return
		}
	}
}
