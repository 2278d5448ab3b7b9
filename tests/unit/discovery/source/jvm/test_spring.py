"""Spring's mappings in Java and Kotlin: what is a mapping, and what only looks like one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.discovery.found import Discovery
from inward.discovery.source.jvm.spring import read_spring

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = r'''
package shop;
/* @RestController class Not { @GetMapping("/no") void x() {} } */
@RestController
@RequestMapping(path = Paths.BASE + "/orders", produces = MediaType.APPLICATION_JSON_VALUE)
@SuppressWarnings({"unused", "@GetMapping"})
public class Orders extends Base<Order> implements OrdersApi, LostApi, java.io.Serializable {
    private static final String ITEM = "/{id:[0-9]{1,9}}";
    public static final String TEXT = "// no comment { \" ";
    Orders(@Qualifier("x") Service s) { this.service = s; if (s == null) { throw new X(); } }
    @GetMapping
    public List<Order> all(@RequestParam(name = "q", required = false) String q) { return service.all(q); }
    @GetMapping(ITEM) @PreAuthorize("hasRole('A')")
    public <T extends Order> ResponseEntity<T> one(@PathVariable long id) { return null; }
    @RequestMapping(value = {"/a", "/b/"}, method = {RequestMethod.POST, PUT})
    Order two(@RequestBody @Valid Order order) { char c = '"'; String s = """
        @GetMapping("/text-block")
        """; return null; }
    @PatchMapping(SomeOther.UNKNOWN) void unknown() {}
    @GetMapping("/${api.part:parts}/x") void defaulted() {}
    @GetMapping("/${api.known}/y") void known() {}
    @GetMapping("/${api.unknown}/z") void missing() {}
    @GetMapping("/tree/**") void tree() {}
    @Override public void inherited(String a) {}
    static class Inner { @GetMapping("/inner") void x() {} }
}
'''
OTHERS = """
package shop;
public interface OrdersApi { @PutMapping("/from-interface/{x}") void inherited(String a); }
abstract class Base<T> { @GetMapping("/from-base") public void base() {} }
@FeignClient(name = "others") interface Client { @GetMapping("/client") void c(); }
@Controller class Pages { @RequestMapping("/page") String page() { return "page"; } }
interface Paths { String ROOT = "/api"; String BASE = ROOT + "/v1"; String CIRCLE = CIRCLE; }
"""
THINGS = r"""
package shop
const val TOP = "/top"
data class Dto(val a: String, @field:NotNull val b: Int)
@RestController
@RequestMapping(TOP)
class Things(private val service: Service, @Value("\${x}") val y: String) : ThingsApi {
    companion object {
        const val ONE: String = "/one"
        const val TWO = "/two"
    }
    @GetMapping(ONE, "/uno")
    fun one(@PathVariable id: Long) = service.one(id)
    @PostMapping(path = [TWO + "/{id}"])
    suspend fun two(): Dto { return Dto("$id { ", 1) }
    @RequestMapping(value = ["/three"], method = [RequestMethod.GET, RequestMethod.HEAD])
    fun three() {}
    @GetMapping("/$dynamic")
    fun four() {}
}
interface ThingsApi { @GetMapping("/iface") fun iface(): String }
fun routes() = coRouter { GET("/functional") { ok() } }
"""


def read(folder: Path, files: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    for name, text in files.items():
        (folder / name).write_text(text)
    discovery = Discovery()
    read_spring(folder, discovery)
    found = {f"{each.method} {each.template.text}": each.sure.value for each in discovery.found}
    return found, [f"{note.place}: {note.what}" for note in discovery.notes]


def test_java_mappings_are_those_of_controllers_and_what_they_are_made_of(tmp_path: Path) -> None:
    found, notes = read(
        tmp_path,
        {"Orders.java": ORDERS, "Others.java": OTHERS, "application.properties": "api.known = k\n#api.unknown=u\n"},
    )
    base = "/api/v1/orders"
    assert found == {
        f"GET {base}": "sure",
        f"GET {base}/{{id}}": "sure",
        f"POST {base}/a": "sure",
        f"PUT {base}/a": "sure",
        f"POST {base}/b/": "sure",
        f"PUT {base}/b/": "sure",
        f"GET {base}/parts/x": "likely",
        f"GET {base}/k/y": "likely",
        f"PUT {base}/from-interface/{{x}}": "sure",
        f"GET {base}/from-base": "sure",
        "GET /page": "likely",
    }
    assert notes == [
        "Orders.java:7: `Orders` is made of `LostApi`, which is not in the source",
        "Orders.java:19: `unknown`: `SomeOther.UNKNOWN` is no constant that is known",
        f"Orders.java:22: `{base}/${{api.unknown}}/z` has a setting that is not known",
        f"Orders.java:23: `{base}/tree/**` takes more than one segment",
    ]


def test_kotlin_mappings_and_the_prefix_of_the_application(tmp_path: Path) -> None:
    yaml = "server:\n  servlet:\n    context-path: /ctx/\n---\nserver.servlet.context-path: /other\n"
    found, notes = read(tmp_path, {"Things.kt": THINGS, "application.yml": yaml})
    mapped = ["GET one", "GET uno", "POST two/{id}", "GET three", "HEAD three", "GET iface"]
    assert found == {each.replace(" ", " /ctx/top/"): "likely" for each in mapped}
    assert notes == ["Things.kt:22: functional routes are not read", "Things.kt:18: `four`: a path is no constant"]


def test_constants_that_lead_back_to_themselves_come_to_an_end(tmp_path: Path) -> None:
    text = OTHERS + "@RestController class C { @GetMapping(Paths.CIRCLE) void c() {} }"
    found, notes = read(tmp_path, {"C.java": text})
    assert set(found) == {"GET /page"}
    assert ["lead back to themselves" in note for note in notes] == [True]


def test_torn_files_give_what_can_be_made_of_them(tmp_path: Path) -> None:
    for number, end in enumerate(range(0, len(ORDERS), 37)):
        (tmp_path / f"T{number}.java").write_text(ORDERS[:end])
    found, _ = read(
        tmp_path, {"deep.kt": "@GetMapping(" * 5000, "open.java": '@RestController class X { @GetMapping("/x'}
    )
    assert all(name.split(" ")[1].startswith("/") for name in found)
