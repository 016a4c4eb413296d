import { expect, test } from "bun:test";
import { openTemplate } from "./template.ts";

/** As an inspection has it. */
const data = {
  Id: "0123456789abcdef",
  Name: "/web",
  State: { Status: "running", Running: true, Paused: false, Pid: 42, ExitCode: 0 },
  Config: {
    Env: ["A=1", "B=2"],
    Labels: { tier: "front", "com.example.x": "y" },
    Entrypoint: null,
    Volumes: { "/data": {} },
    ExposedPorts: null,
  },
  HostConfig: { PidsLimit: null },
  NetworkSettings: {
    Networks: { shop: { IPAddress: "10.0.0.2" }, admin: { IPAddress: "10.1.0.2" } },
    Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "81/tcp": null },
  },
  Label: (key: string) => `<${key}>`,
};

const run = (template: string) => openTemplate(template, "--format")(data);

test.each([
  // ── fields, in Docker's spelling and in JSON's ──
  ["{{.Name}}", "/web"],
  ["{{.ID}} {{.Id}}", "0123456789abcdef 0123456789abcdef"],
  ["{{ .State.Status }}/{{.State.Pid}}/{{.State.Running}}", "running/42/true"],
  ["{{(.State).Status}}", "running"],
  [
    "{{.Config.Env}} {{.Config.Entrypoint}} {{.Config.ExposedPorts}} {{.HostConfig.PidsLimit}}",
    "[A=1 B=2] [] map[] <nil>",
  ],
  ["{{.Config.Volumes}}", "map[/data:{}]"],
  ["{{.Config.Labels.tier}} {{.Config.Labels.missing}}", "front <no value>"],
  ["{{.Config.StopSignal}}|{{.Config.StopTimeout}}", "|<nil>"],
  ['{{.Label "a.b"}}', "<a.b>"],
  // ── json ──
  ["{{json .State.Running}} {{json .Config.Env}} {{json .Config.Entrypoint}}", 'true ["A=1","B=2"] null'],
  ["{{.Config.Labels | json}}", '{"tier":"front","com.example.x":"y"}'],
  // ── blocks ──
  ["{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"],
  ["{{if .State.Paused}}p{{else if .State.Running}}r{{else}}s{{end}}", "r"],
  ["{{with .State}}{{.Status}} {{$.Name}}{{end}}", "running /web"],
  ["{{with .State.Health}}h{{else}}none{{end}}", "none"],
  ["{{range .Config.Env}}{{.}};{{end}}", "A=1;B=2;"],
  ["{{range $i, $e := .Config.Env}}{{$i}}{{$e}} {{end}}", "0A=1 1B=2 "],
  [
    "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}={{$net.IPAddress}} {{end}}",
    "admin=10.1.0.2 shop=10.0.0.2 ",
  ],
  ["{{range .Config.Entrypoint}}x{{else}}empty{{end}}", "empty"],
  ["{{range .Config.Env}}{{.}}{{break}}{{end}}", "A=1"],
  ['{{range .Config.Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{end}}', "B=2"],
  [
    "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}->{{if $conf}}{{(index $conf 0).HostPort}}{{else}}-{{end}} {{end}}",
    "80/tcp->8080 81/tcp->- ",
  ],
  // ── variables ──
  ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"],
  ["{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"],
  // ── functions ──
  ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"],
  ['{{index .Config.Labels "com.example.x"}}-{{index .Config.Labels "no"}}-', "y--"],
  ['{{join .Config.Env ","}} {{join .Config.Entrypoint ","}}', "A=1,B=2 "],
  ['{{upper .State.Status}} {{lower "AB"}} {{title "ab cd"}}', "RUNNING ab Ab Cd"],
  ['{{index (split .Name "/") 1}} {{slice .Id 0 4}} {{truncate .Id 3}} [{{pad "x" 1 2}}]', "web 0123 012 [ x  ]"],
  ["{{len .Config.Env}} {{len .Name}} {{len .Config.Entrypoint}}", "2 4 0"],
  [
    '{{printf "%-5s|%5d|%05d|%.2f|%q|%v|%t|%%" "ab" 42 42 1.5 "q" .Config.Env true}}',
    'ab   |   42|00042|1.50|"q"|[A=1 B=2]|true|%',
  ],
  ['{{println "a" 1}}', "a 1\n"],
  ['{{if and .State.Running (not .State.Paused)}}up{{end}} {{or .State.Paused "x"}}', "up x"],
  ['{{eq .State.Status "exited" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge "a" "b"}}', "true true true false"],
  // ── text ──
  ["a  {{- 1 -}}  b", "a1b"],
  ["{{/* a comment }} */}}x{{- /* and one */ -}} y", "xy"],
  ['{{`raw \\n`}}{{"\\t|\\u0041"}}', "raw \\n\t|A"],
  ['{{"{{"}}', "{{"],
  ["plain", "plain"],
])("%s gives %j", (template, expected) => {
  expect(run(template)).toBe(expected);
});

test.each([
  ["{{.Name", "a {{ has no }} behind it"],
  ["{{if .Name}}x", "{{if}} has no {{end}}"],
  ["{{end}}", "there is nothing that {{end}} could belong to"],
  ["{{nosuch .Name}}", "there is no function nosuch"],
  ["{{.Nope}}", "there is no field .Nope"],
  ["{{.State.Stauts}}", "there is no field .State.Stauts"],
  ["{{.State.Health.Status}}", ".State.Health has no fields, so no .Status"],
  ["{{.Name.First}}", ".Name has no fields, so no .First"],
  ["{{index .Config.Env 2}}", "the list has 2 elements, so none at index 2"],
  ["{{$y}}", "there is no variable $y"],
  ["{{}}", "a value is missing"],
  ["{{(.Name}}", "a ( has no ) behind it"],
  ['{{"\\q"}}', 'the string "\\q" has an escape that is none'],
  ["{{.constructor}}", "there is no field .constructor"],
  ["{{toString}}", "there is no function toString"],
  ['{{template "x"}}', "{{template}} is not supported"],
])("%s is refused: %s", (template, reason) => {
  expect(() => run(template)).toThrow(`invalid --format ${JSON.stringify(template)}: ${reason}`);
});

test("what a template may cost is bounded: it runs in the engine", () => {
  const nested = (depth: number) => ["{{range $.L}}".repeat(depth), "x", "{{end}}".repeat(depth)].join("");
  const many = { L: Array.from({ length: 1000 }, () => 0) };
  expect(() => openTemplate(nested(5), "-f")(many)).toThrow("steps");
  expect(() => openTemplate(nested(200), "-f")(many)).toThrow("nested too deep");
  expect(() => openTemplate(`{{${"(".repeat(10_000)}.${")".repeat(10_000)}}}`, "-f")).toThrow("nested too deep");
  expect(openTemplate('{{len (printf "%999999999s" "x")}}', "-f")({})).toBe("10000");
  expect(() => openTemplate('{{$s := printf "%9999s" "x"}}{{range .L}}{{$s}}{{end}}', "-f")(many)).toThrow(
    "characters",
  );
});
