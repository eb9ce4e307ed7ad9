# fmt: off
"""A wiring as the compiler writes it, by hand."""
from __future__ import annotations

from oneiric.wiring import Domain, bind
from oneiric.wiring import Wiring as BaseWiring

TYPE_CHECKING = False


class Adapters(Domain):
    _wiring: Wiring

    if TYPE_CHECKING:
        from tests.unit.runtime.shop.parts import Cache, Database, Secrets

    @bind("adapter:cache", "c1", tenants="1:f44e2074", provider="store", port="tests.unit.runtime.shop.parts:Cache",
          needs=("adapter:database",), secrets=("PW",))
    def cache(self) -> Cache:
        """store: settings/adapters.yml selects it"""
        from tests.unit.runtime.shop.parts import Store
        return Store(url="redis://{}:{}/0".format(self._env("HOST", "localhost"), self._secret("PW").reveal()),
                     password=self._secret("PW"), port=self._env_as(int, "PORT", "6379"),
                     database=self._wiring.adapters.database.live)

    @bind("adapter:database", "d1", tenants="1:2a7c1133", provider="sqlite",
          port="tests.unit.runtime.shop.parts:Database")
    def database(self) -> Database:
        """sqlite: the only candidate"""
        from tests.unit.runtime.shop.parts import Sqlite
        return Sqlite()

    @bind("adapter:secrets", "s1", tenants="1:0dc309e9", provider="vault", port="tests.unit.runtime.shop.parts:Secrets")
    def secrets(self) -> Secrets:
        """vault: the only candidate"""
        from tests.unit.runtime.shop.parts import Vault
        return Vault()


class Services(Domain):
    _wiring: Wiring

    if TYPE_CHECKING:
        from tests.unit.runtime.shop.parts import Checkout

    @bind("service:check-out", "t1", tenants="1:5476f1c9", provider="till",
          port="tests.unit.runtime.shop.parts:Checkout", needs=("adapter:cache",))
    async def check_out(self) -> Checkout:
        """till: the only candidate"""
        from tests.unit.runtime.shop.parts import make_till
        return await make_till(cache=self._wiring.adapters.cache.live)


class Wiring(BaseWiring, app="shop", profile="default"):
    __listed__ = "3:f8925f93"
    adapters: Adapters
    services: Services


Wiring.domains(adapters=Adapters, services=Services)
