using NSubstitute;
using WebhookService.Application.Devices;
using WebhookService.Application.Quarantine;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Domain.Reports;
using static WebhookService.Application.Tests.Ports;

namespace WebhookService.Application.Tests;

public sealed class DeviceHandlerTests
{
    private static readonly ReportKey Key = new(42);

    private readonly Ports ports = new();

    [Fact]
    public async Task Describing_changes_the_profile_that_is_there_and_saves_it()
    {
        ports.Known[Client] = Device.Discovered(Client, Noon);

        Assert.Equal(Described.Done, await DescribeAsync(ifVersion: ports.Known[Client].Version));
        Assert.Equal(("Pump", 1), (ports.Known[Client].Profile.Name, ports.Saves));
    }

    [Fact]
    public async Task Describing_what_nobody_knows_or_another_version_saves_nothing()
    {
        Assert.Equal(Described.NoSuchDevice, await DescribeAsync(ifVersion: null));
        ports.Known[Client] = Device.Discovered(Client, Noon);

        Assert.Equal(Described.OtherVersion, await DescribeAsync(ifVersion: 99));
        Assert.Equal((null, 0), (ports.Known[Client].Profile.Name, ports.Saves));
    }

    [Theory]
    [InlineData(true, Forgotten.Completely)]
    [InlineData(false, Forgotten.InPart)]
    public async Task Forgetting_goes_in_bounded_steps(bool nothingLeft, Forgotten answer)
    {
        ports.Devices.ForgetAsync(Client, ForgetDevice.Step, default).Returns(ValueTask.FromResult(nothingLeft));

        Assert.Equal(answer, await new ForgetDeviceHandler(ports.Devices, new Notices.NoticeWorld().DeadLetters).Handle(new(Client), default));
    }

    [Fact]
    public async Task A_report_is_saved_and_moves_a_device_that_is_known()
    {
        ports.Known[Client] = Device.Discovered(Client, Noon);

        Assert.Equal(Outcome.Applied, await ReportAsync(isDevice: true));
        Assert.Equal((Noon, 2), (ports.Known[Client].LastSeenAt, ports.Saves));
    }

    [Fact]
    public async Task A_report_of_an_unknown_client_makes_no_device()
    {
        await ReportAsync(isDevice: true);

        Assert.Empty(ports.Known);
        Assert.Equal(1, ports.Saves);
    }

    [Fact]
    public async Task A_report_that_names_no_device_moves_none()
    {
        ports.Known[Client] = Device.Discovered(Client, Noon);

        await ReportAsync(isDevice: false);

        Assert.Null(ports.Known[Client].LastSeenAt);
    }

    [Fact]
    public async Task A_repeated_report_saves_nothing()
    {
        ports.Reports.KnowsAsync(Key, default).Returns(ValueTask.FromResult(true));

        Assert.Equal(Outcome.Repeated, await ReportAsync(isDevice: true));
        Assert.Equal(0, ports.Saves);
    }

    [Fact]
    public async Task The_quarantine_keeps_releases_and_notes_what_it_is_told()
    {
        var quarantine = Substitute.For<IQuarantine>();
        var body = new QuarantineBody("emqx", "malformed", "It is no JSON.", null, "application/json", [0x7B], false, Noon);
        quarantine.AddAsync(body, default).Returns(ValueTask.FromResult(5L));
        quarantine.RemoveAsync(5, default).Returns(ValueTask.FromResult(true));

        Assert.Equal(5, await new QuarantineBodyHandler(quarantine).Handle(body, default));
        Assert.True(await new ReleaseFromQuarantineHandler(quarantine).Handle(new(5), default));
        Assert.False(await new ReleaseFromQuarantineHandler(quarantine).Handle(new(6), default));
        await new NoteQuarantineAttemptHandler(quarantine).Handle(new(5, "still no JSON", Noon), default);
        await quarantine.Received(1).NoteAttemptAsync(5, "still no JSON", Noon, default);
    }

    private Task<Described> DescribeAsync(long? ifVersion) => new DescribeDeviceHandler(ports.Devices, PresenceRules.Default, TimeProvider.System)
        .Handle(new(Client, profile => profile with { Name = "Pump" }, ifVersion), default);

    private Task<Outcome> ReportAsync(bool isDevice) => new RecordReportHandler(ports.Reports, ports.Devices)
        .Handle(new("emqx.client.connack", Key, Client, isDevice, Noon, "{}", Noon), default);
}
