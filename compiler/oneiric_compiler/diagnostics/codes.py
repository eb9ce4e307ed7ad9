"""Every diagnostic code, once: what it means and what to do. `explain-code` and the docs read this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """A diagnostic's meaning; a note that is `strict` is an error with `--strict`, as warnings are."""

    title: str
    explanation: str
    severity: Literal["error", "warning", "note"] = "error"
    strict: bool = False


CODES: dict[str, Code] = {
    # 1xx: settings files
    "ONE101": Code(
        "the file is not readable",
        "The file or folder does not exist, is not a regular file, or may not be read. The project root is the working "
        "directory or `--project DIR`; the settings folder is `settings/` there, or what ONEIRIC_CONFIG names.",
    ),
    "ONE102": Code(
        "the file is not UTF-8",
        "Settings and sources are UTF-8 text. The place names the first byte that is not. Save the file as UTF-8.",
    ),
    "ONE103": Code(
        "the file is too large or too deep",
        "Settings files are limited to 8 MiB and 32 levels, so that a wrong or hostile file cannot stall a compile.",
    ),
    "ONE104": Code("the file is not YAML", "The YAML parser stopped at the place shown. Tabs cannot indent."),
    "ONE105": Code(
        "YAML beyond plain settings",
        "Anchors, aliases, merge keys, tags and several documents in one file are not read: a setting means what "
        "stands at its own place. Write the value out where it is used.",
    ),
    "ONE106": Code(
        "a mapping key that cannot be one",
        "Keys are strings, each once in a mapping. Quote keys that read as numbers, booleans or null.",
    ),
    "ONE107": Code(
        "a value that YAML cannot state here",
        "Numbers are finite, of reasonable length, and begin with no zero that others read as octal; text holds no "
        "unpaired surrogates.",
    ),
    "ONE108": Code(
        "a merge conflict is not resolved",
        "The file holds the markers `<<<<<<<`, `=======` and `>>>>>>>` that git leaves where two changes meet. In "
        "settings and sources a person decides what stands. Outputs are never resolved: `oneiric compile` writes them.",
    ),
    "ONE110": Code(
        "an unknown key",
        "The settings schema has no such key at this place. Unknown keys are errors, so that a typing mistake never "
        "silently changes what the application runs on.",
    ),
    "ONE111": Code("a value of the wrong type or shape", "The settings schema expects another kind of value here."),
    "ONE112": Code("a value out of bounds", "Priority is -1000 to 1000, stack level -100 to 100."),
    "ONE113": Code("a required key is missing", "The settings schema requires this key."),
    "ONE114": Code(
        "a reserved or malformed name",
        "Keys and providers are letters, digits, `.`, `_` and `-`, starting with a letter or digit. Profiles and "
        "custom domains are identifiers; `default`, `manifests`, `wiring`, `app`, `remote`, `profiles`, `tenants`, "
        "`domains` and Python's keywords are taken. Tenants are printable characters without `/`, `\\`, `:` and `#`, "
        "not beginning with `.` or `_`. Names have at most 128 characters, references to modules 255. Two profiles or "
        "tenants cannot differ by upper and lower case alone.",
    ),
    "ONE115": Code(
        "a settings file that is not read",
        "A file of the settings folder is neither app.yml nor remote.yml, nor a domain's, nor that of a listed custom "
        "domain.",
    ),
    "ONE116": Code(
        "a profile or tenant that is not there",
        "A profile listed in app.yml has no file in settings/profiles/, `--profile` names one that is not listed, or "
        "an override is for a tenant without a file in settings/tenants/.",
    ),
    "ONE117": Code("a profile that is not listed", "The file is not compiled: app.yml does not list it.", "note"),
    "ONE118": Code(
        "a malformed environment variable",
        "ONEIRIC_STACK_ORDER is `name:priority` pairs separated by commas, such as `shop:50,vendor:20`; "
        "ONEIRIC_TRUSTED_PUBLIC_KEYS is public keys separated by commas, each the base64 of 32 bytes.",
    ),
    "ONE123": Code(
        "a role that selects nothing",
        "A role names keys, or patterns of keys with one `*` at the end. What matches nothing starts nothing.",
    ),
    "ONE124": Code(
        "a module of your own where one is generated",
        "A project with profiles has a generated `choose.py` in its output folder. The one that lies there was written "
        "by somebody, so it is not replaced.",
    ),
    "ONE125": Code(
        "a module that is imported in place of a generated one",
        "Python prefers a package or an extension module to a source file of the same name: `wiring/` or `wiring.so` "
        "would run, and not the `wiring.py` beside it that was reviewed.",
    ),
    # 2xx: candidates
    "ONE201": Code(
        "a package that is not found",
        "A package named in app.yml is under none of the source roots. Packages are looked for as folders and files; "
        "nothing is imported.",
    ),
    "ONE202": Code("source that does not parse", "A module cannot be read as Python by the interpreter compiling it."),
    "ONE203": Code(
        "a declaration that cannot be read",
        "The compiler reads `@component(...)` from the source text without importing it, so its arguments are "
        "literals, and it decorates a class or function at the top level of a module, unconditionally. What "
        "declares in any other way (in a loop, by `functools.partial`, by a call on a class, inside another decorator) "
        "would be left out without a word, so it is an error.",
    ),
    "ONE204": Code(
        "the same provider twice",
        "Within one source (one package, one plugin, the settings) a provider is declared once per key. Across "
        "sources both are candidates and precedence decides.",
    ),
    "ONE205": Code(
        "a factory outside the allowed prefixes",
        "Settings may name factories of the packages in app.yml, of oneiric, of listed plugins, and of the prefixes "
        "in `allow`.",
    ),
    "ONE206": Code(
        "a factory that does not exist",
        "`module:name` must be a class or function found in source text under a source root, in a listed plugin, among "
        "the built-ins, or in an installed distribution, where `allow` names its module.",
    ),
    "ONE207": Code(
        "a plugin that is not installed",
        "A distribution named under `plugins` is not installed, or has no entry point in the group "
        "`oneiric.components`, or its entry point names no readable module.",
    ),
    "ONE208": Code(
        "a plugin that is installed but not listed",
        "A distribution offers components that app.yml does not list under `plugins`; they take no part.",
        "note",
    ),
    "ONE209": Code(
        "a registration at run time",
        "Upstream's `Candidate(…)`, `AdapterMetadata(…)` and `register_…(…)` register components while a program runs. "
        "Here the compiler reads declarations from source and runs nothing, so these calls declare nothing: write "
        "`@component(…)` above the class or function, or an entry under `components` in settings.",
    ),
    "ONE210": Code(
        "a factory that cannot be entered",
        "What a generator or a function under `@contextmanager` gives is entered for the instance, in a thread; what "
        "an async generator or a function under `@asynccontextmanager` gives, in a task. The decorator is that of the "
        "kind of generator below it, and the call itself gives what is entered: it is not awaited first.",
    ),
    "ONE211": Code(
        "a factory that does not yield once",
        "A generator factory yields the instance; what comes after the `yield` closes it. One that never yields, or "
        "twice on every way through it, is an error; what only running it shows fails its activation or its close.",
    ),
    "ONE212": Code(
        "a method that makes no instance",
        "`module:Class.method` names a classmethod or staticmethod, read in the class or in a base of it that is in "
        "sight.",
    ),
    "ONE213": Code(
        "a module that is not installed",
        "A factory under a prefix in `allow` is read under the source roots, else in the installed distribution whose "
        "record (RECORD) names its module. None does where the compiler runs.",
    ),
    "ONE214": Code(
        "a module of several distributions",
        "The records of two installed distributions name the module of a factory, so that its version is not known.",
    ),
    "ONE215": Code(
        "an installed module without source",
        "The module of a factory is compiled, or its distribution is installed as editable, so that its record does "
        "not name the source, and its version says nothing of it.",
    ),
    # 3xx: decisions
    "ONE301": Code(
        "a selection or setting that names no candidate",
        "Nothing declares this provider for the key. Nothing falls through silently: correct the name or declare it.",
    ),
    "ONE302": Code(
        "a selected candidate is filtered out",
        "What is selected must pass the filters: required capabilities, and the target's Python version and platform.",
    ),
    "ONE303": Code("every candidate is filtered out", "No candidate of the key passes the filters."),
    "ONE304": Code(
        "decided by registration order alone",
        "Two candidates are equal in every rule but the order of their declaration. Select one, or give one a higher "
        "priority or stack level.",
        "warning",
    ),
    "ONE305": Code(
        "a key that does not exist",
        "Nothing declares a component for this key; or nothing binds the key, since it is neither selected nor needed.",
    ),
    # 4xx: links
    "ONE401": Code("a need that nothing serves", "A component needs a key that has no candidate."),
    "ONE402": Code("a cycle of needs", "Each component of the chain needs the next one, and the last needs the first."),
    "ONE403": Code("an ambiguous need", "A need without a domain names a key of several domains: write `domain:key`."),
    "ONE404": Code("a need that is not a parameter", "A need is handed to the factory by the parameter of that name."),
    "ONE405": Code(
        "a candidate that does not fit its port",
        "Every candidate of a key offers the methods of the key's port, callable as the port's users call them.",
    ),
    "ONE406": Code(
        "a port that cannot be used",
        "A port is a `typing.Protocol` found in source text, made of methods alone, without type parameters left open, "
        "and the same wherever it is named.",
    ),
    "ONE407": Code("a setting that is not a parameter", "Settings are the parameters of the factories they are for."),
    "ONE408": Code(
        "a setting of the wrong type",
        "The value does not fit the annotation of the factory's parameter, or is a port that no machine has.",
    ),
    "ONE409": Code(
        "a required setting is missing", "The factory has a parameter without default that nothing supplies."
    ),
    "ONE410": Code(
        "a secret in plain text",
        "A secret parameter takes a reference such as ${ONEIRIC_SECRET_NAME}, never a literal or a default. Nor does a "
        "setting hold, at any depth, the password of a URL or of a connection text (`Server=…;Password=…`), the "
        "credentials of an Authorization header or a private key. Nothing secret may reach a committed file.",
    ),
    "ONE411": Code(
        "a malformed reference",
        "References are ${NAME}, ${NAME:-default}, whose default may hold further ones, and ${NAME:?why}; `$${` stands "
        "for a plain `${`. Only values of provider_settings hold references.",
    ),
    "ONE412": Code(
        "secrets that need secrets",
        "The secrets component is what secret references are asked of, so neither it nor what it needs may hold one.",
    ),
    "ONE413": Code(
        "two keys with one attribute name",
        "In the wiring a key is an attribute: characters an identifier cannot have become `_`. Rename one of the keys.",
    ),
    "ONE414": Code(
        "a setting that looks like a secret",
        "The name suggests a secret, also where it is misspelt or stands deep in a setting, or the text holds "
        "`password=…` or a token as its issuer writes them; but the parameter takes plain text, so the value is "
        "committed for all to read. Annotate the parameter as `oneiric.Secret` and use a reference.",
        "warning",
    ),
    "ONE415": Code(
        "a text that looks like a reference",
        "`$NAME` is a variable to shells and to other tools. Here references have braces, `${NAME}`, and all else of a "
        "text stays as it is.",
        "warning",
    ),
    "ONE416": Code(
        "a type that the compiler does not read",
        "What settings give the parameter, or what stands in it at that depth, is handed over as it is written and "
        "marked `unchecked` in the report. The type checker sees it in the wiring.",
        "note",
        strict=True,
    ),
    "ONE420": Code(
        "an optional or lazy need that cannot be one",
        "`optional` and `lazy` name parameters of `needs`. The parameter of an optional need has a default, for where "
        "the key is not bound. What the secrets component needs is never lazy: it is there before all else.",
    ),
    "ONE421": Code(
        "a lazy need that is called too early",
        "A lazy need is activated by its first call, which has to come after its user was made.",
    ),
    "ONE422": Code(
        "a parameter that cannot take several components",
        "A need of several keys, or of a pattern, is handed over as a list, a tuple of any length, or a mapping by "
        "name.",
    ),
    "ONE423": Code(
        "an order that names nobody",
        "`gather_order` is for a pattern that a component needs, and names what it matches, once each; `*` stands for "
        "all others.",
    ),
    "ONE424": Code("a pattern that matches nothing", "The component is handed none, until something matches.", "note"),
    "ONE425": Code(
        "an optional need that nothing declares",
        "The component is made without it: the parameter has its default.",
        "note",
    ),
    "ONE430": Code(
        "a key that is unbound, and stated otherwise in the same place",
        "`unbind` takes a key away; a profile or a tenant that does cannot select it, or say how it is activated.",
    ),
    "ONE431": Code(
        "a need of a key that is unbound",
        "What the profile or the tenant unbinds is there for nobody. A need of it is an error, unless it is optional.",
    ),
    "ONE432": Code(
        "a swap of a key that is unbound",
        "An operator's swap chooses what serves a key. It does not bring back one that the settings take away.",
    ),
    "ONE433": Code(
        "a provided component that says how it is made",
        "`provided: true` is an instance that the application hands in: `Runtime(Wiring, provide={…})`. It has a key "
        "and a port, and what precedence asks for.",
    ),
    "ONE434": Code(
        "a component that is provided for a tenant alone",
        "The application hands in one instance of a key, for the base and every tenant of it.",
    ),
    "ONE435": Code(
        "the application in a list of components",
        "`oneiric:runtime` is the running application, handed to a parameter of its own, typed `oneiric.Application`.",
    ),
    "ONE436": Code(
        "an alias that has something of its own",
        "An alias is another key: whatever is said of it is said of that. A candidate, a selection or a setting of the "
        "alias itself would serve nobody.",
    ),
    "ONE437": Code("aliases that go round", "An alias leads to a key that components are declared for."),
    "ONE438": Code(
        "an alias for a tenant alone",
        "A tenant's wiring has the keys of its profile's: aliases stand in a domain's file or in a profile.",
    ),
    "ONE440": Code(
        "a layer that is not there",
        "`layers` names layers: those declared for the key with `layer=True`, and the common ones, which wrap every "
        "key: breaker, cached, fallback, limit, retry, timeout, traced.",
    ),
    "ONE441": Code(
        "one name for a layer and a provider",
        "A layer of a key and a provider of it have different names, so that settings and selections say which they "
        "mean.",
    ),
    "ONE442": Code(
        "a layer that does not fit what it wraps",
        "A layer takes what it wraps as `inner`, and offers the same: the port of its key.",
    ),
    "ONE443": Code(
        "an exception that is not there",
        "`errors` names exceptions as `module:Class`, by the name alone one of the port's package, of `oneiric.errors` "
        "(Unavailable, Refused, Closed, Misconfigured) or of Python.",
    ),
    "ONE444": Code(
        "a method that is not there",
        "`methods` of the layer `cached` names async methods of the port that it offers.",
    ),
    "ONE445": Code(
        "a retry after a timeout of what may not be made again",
        "A call that took too long may still be under way, or have had its effect. The layer `retry` makes it again "
        "where its `errors` name a timeout; the component says with `idempotent=True`, or names of methods, that this "
        "does no harm.",
        "note",
    ),
    "ONE446": Code(
        "a layer that does nothing",
        "The built-in layers do something around what is awaited, iterated or entered asynchronously, and pass on all "
        "other calls. The port has no such method.",
        "warning",
    ),
    # 5xx: outputs
    "ONE501": Code("the output cannot be written", "The output folder or a file in it cannot be created or replaced."),
    "ONE502": Code("the outputs are stale", "The settings or sources say otherwise now. Run `oneiric compile`."),
    "ONE503": Code(
        "the outputs were edited by hand",
        "wiring.py and explain.json disagree: one was edited, or a compile was interrupted. Run `oneiric compile`.",
    ),
    "ONE504": Code("the report is not readable", "The file is not an explain report of a format this release reads."),
    "ONE505": Code(
        "outputs that no compile updates",
        "A folder of the project holds an earlier wiring of it: `output` named that folder once. It can still be "
        "imported, and nothing holds it against the settings. Delete the folder.",
        "warning",
    ),
    # 6xx: manifests
    "ONE601": Code(
        "an address that manifests cannot come from",
        "Manifests come over https, or from a file in one of the `roots` of settings/remote.yml, which are folders in "
        "the project. An address holds no name and no password: `auth` is for these.",
    ),
    "ONE602": Code(
        "unusable trusted keys",
        "A source states its trusted public keys as `keys` or in a `key_file`, else ONEIRIC_TRUSTED_PUBLIC_KEYS does; "
        "there are at least as many as its threshold. A key is the base64 of 32 bytes.",
    ),
    "ONE603": Code("two manifest sources of one name", "What is pinned of a source is found by its name."),
    "ONE604": Code(
        "a manifest source that is not pinned",
        "A compile needs no network: it reads what `oneiric remote-sync` fetched, verified and pinned.",
    ),
    "ONE605": Code(
        "an optional manifest source that is not pinned",
        "Nothing was ever pinned of the source, which says `required: false`; it takes no part.",
        "note",
    ),
    "ONE606": Code(
        "pinned manifests and their lock disagree",
        "The lock says what was accepted of each source. The pinned files, or the lock, were changed since, or a sync "
        "was interrupted, or settings/remote.yml names another address now. Run `oneiric remote-sync`.",
    ),
    "ONE607": Code(
        "a pinned manifest that is rejected",
        "A compile verifies every pinned manifest again, by the keys and limits that settings/remote.yml states now.",
    ),
    "ONE608": Code(
        "a pinned manifest that has expired",
        "What its author says of it is over: nobody knows whether it is still the newest. Sync a new one. "
        "`--evaluated-at TIME` holds manifests against another time than now.",
    ),
    "ONE609": Code(
        "a pinned manifest that expires soon",
        "It expires before the time that `--valid-until TIME` names, else within 14 days.",
        "warning",
    ),
    "ONE610": Code(
        "a manifest with an unusable entry",
        "Entries are as schemas/manifest.schema.json says, their domains are the project's, and an artifact has a "
        "digest. With one entry that is not so, nothing of the manifest is used.",
    ),
    "ONE611": Code(
        "an unusable artifact",
        "The pinned bytes of an artifact are not there, are not those of its digest, or are neither a pure-Python "
        "wheel nor a single module.",
    ),
    "ONE612": Code(
        "a module in two places",
        "Only one module of a name, and one version of a distribution, can be on a path. An artifact holds another one "
        "than another artifact, a source root or a plugin.",
    ),
    "ONE613": Code(
        "a field of a manifest that has no effect",
        "It is verified and pinned with the rest of its entry, and what it asks for never happens: `settings_model`, "
        "the `scheduler` of a dag, filters of headers, and what stands at an entry of a domain that it says nothing "
        "of. A handler with a filter of headers is told of nothing until settings say what it wants.",
        "warning",
    ),
    "ONE620": Code(
        "a manifest source that cannot be fetched",
        "Its server does not answer, breaks off, is too slow or answers with an error; or the file is not there. No "
        "failure of trust: what is pinned stays, and nothing else is pinned meanwhile. `required: false` lets the "
        "others go on without it.",
    ),
    "ONE621": Code(
        "an optional manifest source that cannot be fetched",
        "It says `required: false`, so what is pinned of it stays, and the others go on.",
        "warning",
    ),
    "ONE622": Code(
        "a manifest that is rejected",
        "What a source holds breaks the rule that is named: of what may be fetched (`size`, `redirect`, `scheme`, "
        "`certificate`, `encoding`, `roots`), of a manifest (`signature`, `threshold`, `version`, `expired`, "
        "`source`, ...), of its entries, or of an artifact (`digest`, `artifact`). Nothing of any source is pinned.",
    ),
    "ONE623": Code(
        "a secret that a sync needs is missing",
        "The auth header of a source refers to an environment variable that is not set, or holds what no header can.",
    ),
    # 7xx: workflows, events and schedules
    "ONE701": Code(
        "a call that nothing serves",
        "A workflow, schedule or subscription calls a key that the wiring does not have. A run of it would never "
        "get any further.",
    ),
    "ONE702": Code(
        "a call that cannot be made",
        "What is called is an async method whose parameters are given by name: `async def __call__(self, *, "
        "order: str)`. Another method than `__call__` is named after a `#`.",
    ),
    "ONE703": Code(
        "a workflow without nodes",
        "A workflow has at least one node, which says what it calls.",
    ),
    "ONE704": Code(
        "a name that a workflow does not have",
        "`after` names nodes, and references begin with `input`, with `item` where there is `for_each`, or with "
        "the name of a node of the same workflow.",
    ),
    "ONE705": Code(
        "nodes that wait for each other",
        "A node waits for the nodes that it refers to and for those that `after` names. In a circle none could begin.",
    ),
    "ONE706": Code(
        "a secret or variable in what is stored",
        "What a node is given is kept with its run, in clear, for as long as the run is kept. Secrets and "
        "variables are settings of the component that needs them.",
    ),
    "ONE707": Code(
        "a reference that cannot be read",
        "A reference is `${input.id}`, `${item}`, `${NODE.path[0]}` or `${nodes['a.b'].x}`, with a default after "
        "`:-`. `$${` is a plain `${`.",
    ),
    "ONE708": Code(
        "a condition that cannot be read",
        "A condition has a `path` and asks something of it: equals, any_of, above, below, exists or matches. "
        "`any` holds where one of its conditions does, `not` where its condition does not. Of an event, "
        "`envelope: source` in the place of `path` asks of what carries it.",
    ),
    "ONE709": Code(
        "a node for each item, of which list or how many is not said",
        "`for_each` refers to a list, and `most` says how many items there may be: steps are numbered before the "
        "first is made.",
    ),
    "ONE710": Code(
        "a reference to what is not there",
        "The type of the input, or of what a node results in, has no such field.",
    ),
    "ONE711": Code(
        "a parameter that is not given",
        "What is called has a parameter without default that `with` lacks.",
    ),
    "ONE712": Code(
        "a parameter that is not taken",
        "What is called has no parameter of that name.",
    ),
    "ONE713": Code(
        "a parameter of another type",
        "What `with` gives, or the value that a reference leads to, is not of the type of the parameter.",
    ),
    "ONE714": Code(
        "a result that may be missing",
        "A node that may be skipped, or whose failure the run goes on after, may have no result. Say what stands "
        "in for it: `${node.x:-null}`.",
    ),
    "ONE715": Code(
        "a call that is made again, and does not say that it can be",
        "With `retry`, what a call has done may be done twice: an attempt that failed may have had its effect. A "
        "component says `idempotent=True`, or which methods are, where that does no harm; or it takes the `token` of "
        "its step, which is the same each time, and lets what has the effect know it.",
        "note",
    ),
    "ONE716": Code(
        "a queue that is not declared",
        "Runs wait in queues that `queues` declares in settings/workflows.yml.",
    ),
    "ONE717": Code(
        "limits that contradict each other",
        "The smaller of two limits could never be reached, or is passed at once.",
    ),
    "ONE718": Code(
        "a type of events that is not found",
        "A topic's type is a class under a source root or in a listed plugin: a TypedDict, a dataclass, a pydantic "
        "model or a msgspec struct.",
    ),
    "ONE719": Code(
        "a topic that is not declared",
        "Subscriptions and exports name topics, or patterns with one `*` at the end that match at least one.",
    ),
    "ONE720": Code(
        "a handler that no subscription names",
        "A component of domain event is told of what the subscription of its name says. Without one it would never be "
        "called. It is an error where topics or subscriptions are declared at all; where none are, events are not "
        "Oneiric's to deliver, and such a component is one like any other.",
    ),
    "ONE721": Code(
        "a subscription that starts what it cannot",
        "A subscription has a handler, the component of its name, or starts a workflow; not both, and nothing else.",
    ),
    "ONE722": Code(
        "a handler of another type",
        "The type of the parameter `event` is not that of the topic, so the handler would be given what it does not "
        "expect.",
    ),
    "ONE723": Code(
        "a schedule that does not say when", "A schedule has one of `cron`, `every` and `at`, and `every` is above 0."
    ),
    "ONE724": Code("an unknown time zone", "Zones are those of the IANA database, such as `Europe/Berlin`."),
    "ONE725": Code(
        "a cron expression that is none, or never comes",
        "Five fields: minute, hour, day of month, month, day of week. At least one day has to match in time.",
    ),
    "ONE726": Code(
        "an instant that cannot be read",
        "Instants are ISO 8601 with an offset or `Z`; `at` may do without one where the schedule has a `zone`.",
    ),
    "ONE727": Code(
        "a workflow of a manifest that calls what another source serves",
        "Workflows of a source call what entries of that source serve, and what `calls` in settings/remote.yml lets "
        "them: else a manifest could reach whatever the project has.",
    ),
    "ONE728": Code(
        "a tenant's change of what is not declared",
        "Tenants change subscriptions and workflows of the base or profile; they declare none of their own.",
    ),
    "ONE729": Code(
        "a duration or choice that cannot be read",
        "Durations are numbers of seconds, or have units, such as `200ms`, `30s` or `1h30m`.",
    ),
    "ONE730": Code(
        "an entry that lacks what it has to have",
        "A node and a schedule say what they `call`, a subscription which `topics` it is told of. An overlay may leave "
        "out what a level below it states.",
    ),
    "ONE731": Code(
        "what no tenant can have otherwise",
        "Queues, topics, schedules, the outbox, exports and imports are those of the base and the profile, and so are "
        "the nodes of workflows, what they call and how they run. A tenant may have subscriptions otherwise, `with`, "
        "`retry`, `timeout` and `when` of a workflow's nodes, and components and settings as everywhere.",
    ),
    "ONE732": Code(
        "a fan-out that cannot be",
        "`fanout: processes` tells a handler in every process of the application, through the queue that `broadcast` "
        "names: its provider has the capability `fanout`. Such a delivery is direct: a durable one is a single run, "
        "which one process carries on.",
    ),
}
