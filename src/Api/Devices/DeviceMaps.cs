using System.Text.Json;
using AutoMapper;
using WebhookService.Api.Sessions;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Application.Sessions;

namespace WebhookService.Api.Devices;

/// <summary>Turns the flat views of devices and sessions into the nested shape of the API.</summary>
internal sealed class DeviceMaps : Profile
{
    public DeviceMaps()
    {
        CreateMap<DeviceView, DeviceResponse>()
            .ForMember(device => device.Tags, map => map.MapFrom(view => TagsOf(view.Tags)))
            .ForMember(device => device.Expectations, map => map.MapFrom(view => view))
            .ForMember(device => device.Connectivity, map => map.MapFrom(view => view))
            .ForMember(device => device.Activity, map => map.MapFrom(view => view))
            .ForMember(device => device.Session, map => map.MapFrom(view => view.SessionId == null ? null : view))
            .ForMember(device => device.Counters, map => map.MapFrom(view => view));
        CreateMap<DeviceView, ExpectationsResponse>();
        CreateMap<DeviceView, ConnectivityResponse>();
        CreateMap<DeviceView, ActivityResponse>().ForMember(activity => activity.Status, map => map.MapFrom(view => view.Activity));
        CreateMap<DeviceView, CurrentSessionResponse>().ForMember(session => session.Id, map => map.MapFrom(view => view.SessionId));
        CreateMap<DeviceView, DeviceCountersResponse>().ForMember(counters => counters.Sessions, map => map.MapFrom(view => view.SessionCount));
        CreateMap<DeviceView, DeviceStateResponse>();

        CreateMap<DeviceViewAt, DeviceResponseAt>()
            .ForMember(device => device.Tags, map => map.MapFrom(view => TagsOf(view.Tags)))
            .ForMember(device => device.Connectivity, map => map.MapFrom(view => view))
            .ForMember(device => device.Session, map => map.MapFrom(view => view.SessionId == null ? null : view));
        CreateMap<DeviceViewAt, ConnectivityResponseAt>();
        CreateMap<DeviceViewAt, CurrentSessionResponse>().ForMember(session => session.Id, map => map.MapFrom(view => view.SessionId));

        CreateMap<SessionView, SessionResponse>().ForMember(session => session.Counters, map => map.MapFrom(view => view));
        CreateMap<SessionView, SessionCountersResponse>();
        CreateMap<SubscriptionView, SubscriptionResponse>();
    }

    private static Dictionary<string, string> TagsOf(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json)!;
}
