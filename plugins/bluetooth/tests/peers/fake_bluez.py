"""A Bluetooth service with one adapter and one device, as BlueZ documents them for D-Bus: org.bluez.Adapter1, Device1,
GattService1, GattCharacteristic1, below an ObjectManager. It serves on the bus that DBUS_SYSTEM_BUS_ADDRESS names.

fake_bluez.py SERVICES: JSON, {"180d": {"2a37": "notify"}, "180f": {"2a19": "read 5f"}}: flags and the first value.

A line of standard input is a command:
    value ID HEX..     values of a characteristic, one after the other; notified where it is subscribed
    flood ID COUNT     so many values of a heart rate: 00 and the number modulo 256
    disconnect         the device ends the connection
    vanish             the device is gone, and its objects with it
    appear             it advertises again
    mute               requests to the device are not answered any more
Each is answered by a line `done`; other lines report what the other side did.
"""

import asyncio
import json
import sys

from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property, method

HCI = "/org/bluez/hci0"
DEVICE = HCI + "/dev_AA_BB_CC_DD_EE_FF"


def long(number):
    return f"0000{number}-0000-1000-8000-00805f9b34fb"


def prop(name, signature, read):
    """A property that is read only."""

    def get(self):
        return read(self)

    get.__name__ = name
    get.__annotations__ = {"return": signature}
    return dbus_property(access=PropertyAccess.READ)(get)


def report(*words):
    print(*words, flush=True)


class Adapter(ServiceInterface):
    def __init__(self, world):
        super().__init__("org.bluez.Adapter1")
        self.world, self.powered, self.discovering = world, False, False

    @dbus_property()
    def Powered(self) -> "b":
        return self.powered

    @Powered.setter
    def Powered(self, on: "b"):
        self.powered = on

    Address = prop("Address", "s", lambda s: "00:11:22:33:44:55")
    AddressType = prop("AddressType", "s", lambda s: "public")
    Name = prop("Name", "s", lambda s: "host")
    Alias = prop("Alias", "s", lambda s: "host")
    Modalias = prop("Modalias", "s", lambda s: "usb:v1D6Bp0246d0542")
    Discovering = prop("Discovering", "b", lambda s: s.discovering)

    @method()
    def SetDiscoveryFilter(self, properties: "a{sv}"):
        pass

    @method()
    def StartDiscovery(self):
        report("scan")
        self.discovering = True
        self.emit_properties_changed({"Discovering": True})
        self.world.advertise()

    @method()
    def StopDiscovery(self):
        self.discovering = False
        self.emit_properties_changed({"Discovering": False})


class Device(ServiceInterface):
    def __init__(self, world):
        super().__init__("org.bluez.Device1")
        self.world, self.connected, self.resolved = world, False, False

    Address = prop("Address", "s", lambda s: "AA:BB:CC:DD:EE:FF")
    AddressType = prop("AddressType", "s", lambda s: "random")
    Adapter = prop("Adapter", "o", lambda s: HCI)
    Name = prop("Name", "s", lambda s: "Pulse 7")
    Alias = prop("Alias", "s", lambda s: "Pulse 7")
    Paired = prop("Paired", "b", lambda s: False)
    Trusted = prop("Trusted", "b", lambda s: False)
    Blocked = prop("Blocked", "b", lambda s: False)
    LegacyPairing = prop("LegacyPairing", "b", lambda s: False)
    RSSI = prop("RSSI", "n", lambda s: -61)
    Connected = prop("Connected", "b", lambda s: s.connected)
    ServicesResolved = prop("ServicesResolved", "b", lambda s: s.resolved)
    UUIDs = prop("UUIDs", "as", lambda s: [long(n) for n in s.world.services])

    @method()
    async def Connect(self):
        await self.world.answer()
        self.connected = True
        self.emit_properties_changed({"Connected": True})
        asyncio.get_running_loop().call_later(0.1, self.world.resolve)
        report("connected")

    @method()
    async def Disconnect(self):
        await self.world.answer()
        self.lose()
        report("disconnected")

    def lose(self):
        self.world.unresolve()
        self.connected = self.resolved = False
        self.emit_properties_changed({"ServicesResolved": False, "Connected": False})


class Service(ServiceInterface):
    def __init__(self, number):
        super().__init__("org.bluez.GattService1")
        self.number = number

    UUID = prop("UUID", "s", lambda s: long(s.number))
    Device = prop("Device", "o", lambda s: DEVICE)
    Primary = prop("Primary", "b", lambda s: True)


class Characteristic(ServiceInterface):
    def __init__(self, world, path, number, text):
        super().__init__("org.bluez.GattCharacteristic1")
        self.world, self.path, self.number, self.notifying = world, path, number, False
        words = text.split()
        self.flags = [word for word in words if word in ("read", "notify")]
        self.value = bytes.fromhex(words[-1]) if len(words) > len(self.flags) else b""

    UUID = prop("UUID", "s", lambda s: long(s.number))
    Service = prop("Service", "o", lambda s: s.path)
    Value = prop("Value", "ay", lambda s: s.value)
    Notifying = prop("Notifying", "b", lambda s: s.notifying)
    Flags = prop("Flags", "as", lambda s: s.flags)

    @method()
    async def ReadValue(self, options: "a{sv}") -> "ay":
        await self.world.answer()
        return self.value

    @method()
    async def StartNotify(self):
        await self.world.answer()
        self.notifying = True
        report("subscribed", self.number)

    @method()
    def StopNotify(self):
        self.notifying = False

    def change(self, value):
        self.value = value
        if self.notifying:
            self.emit_properties_changed({"Value": value})


class World:
    def __init__(self, bus, services):
        self.bus, self.services = bus, services
        self.adapter, self.device = Adapter(self), None
        self.is_there, self.mute = True, False
        self.paths, self.characteristics = [], {}
        bus.export(HCI, self.adapter)

    async def answer(self):
        """Waits without an end where the device does not answer."""
        if self.mute:
            await asyncio.Event().wait()

    def advertise(self):
        if self.is_there and self.adapter.discovering and self.device is None:
            self.device = Device(self)
            self.bus.export(DEVICE, self.device)

    def resolve(self):
        if self.device is None or not self.device.connected:
            return
        for k, (service, all) in enumerate(self.services.items()):
            path = f"{DEVICE}/service{k:04x}"
            self.export(path, Service(service))
            for n, (number, text) in enumerate(all.items()):
                one = Characteristic(self, path, number, text)
                self.characteristics[number] = one
                self.export(f"{path}/char{n:04x}", one)
        self.device.resolved = True
        self.device.emit_properties_changed({"ServicesResolved": True})

    def export(self, path, interface):
        self.bus.export(path, interface)
        self.paths.append(path)

    def unresolve(self):
        for path in reversed(self.paths):
            self.bus.unexport(path)
        self.paths, self.characteristics = [], {}

    def vanish(self):
        self.is_there = False
        if self.device:
            # No change of `Connected` comes before.
            self.unresolve()
            self.bus.unexport(DEVICE)
            self.device = None

    async def obey(self, name, *words):
        if name == "value":
            for value in words[1:]:
                self.characteristics[words[0]].change(bytes.fromhex(value.replace("-", "")))
        elif name == "flood":
            for k in range(int(words[1])):
                self.characteristics[words[0]].change(bytes([0, k % 256]))
                if k % 50 == 0:
                    # A round trip: dbus-fast ends where its socket is full.
                    await self.bus.introspect("org.freedesktop.DBus", "/org/freedesktop/DBus")
        elif name == "disconnect":
            self.device.lose()
        elif name == "vanish":
            self.vanish()
        elif name == "appear":
            self.is_there = True
            self.advertise()
        elif name == "mute":
            self.mute = True
        else:
            raise ValueError(name)
        report("done")


async def main():
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    world = World(bus, json.loads(sys.argv[1]))
    await bus.request_name("org.bluez")
    report("ready")
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await world.obey(*line.decode().split())


asyncio.run(main())
